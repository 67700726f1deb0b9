// Replays trees of growing size and scans the same files with nothing done to them, side by side in
// one run.
//
// Every figure is taken of whole processes: CPU time of all threads, and wall time with all threads
// on one core, so that nothing hides on a second one. The page cache is warm: the trees are written
// just before, and each command runs several times, of which the least disturbed counts.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <arrow/compute/initialize.h>
#include <fmt/format.h>

#include "bare_scan.h"
#include "child_process.h"
#include "trees.h"

namespace df::bench {
namespace {

namespace fs = std::filesystem;

struct Settings {
  std::string source;
  std::string engine;
  std::string self;
  std::string work_folder;
  std::vector<int> scales = {1, 4, 16};
  int repeats = 5;
};

/// Writes the pipeline that a replay runs and returns its path.
std::string WritePipeline(const Settings& settings, const std::string& name,
                          const std::string& base, const std::string& exporter) {
  const std::string path = settings.work_folder + "/" + name + ".yaml";
  std::ofstream out(path);
  out << fmt::format(R"(nodes:
  receiver:
    kind: receiver
    plugin_urn: "urn:otel:otap:parquet:receiver"
    out_ports:
      out_port:
        destinations: [exporter]
        dispatch_strategy: round_robin
    config:
      base_uri: "{}"
      polling_interval: once
  exporter:
    kind: exporter
{})",
                     fs::absolute(base).string(), exporter);
  return path;
}

const char* const kNoop = "    plugin_urn: \"urn:otel:noop:exporter\"\n    config: {}\n";

struct Row {
  std::string layout;
  int scale = 0;
  int64_t rows = 0;
  int64_t bytes = 0;
  Usage scan;
  Usage replay;
  Usage replay_two_cores;
};

arrow::Result<Usage> Scan(const Settings& settings, const std::string& tree) {
  ARROW_ASSIGN_OR_RAISE(const Usage plain,
                        BestOf(settings.repeats, {settings.self, "scan", tree, "--plain"}, {0}));
  ARROW_ASSIGN_OR_RAISE(const Usage dictionary,
                        BestOf(settings.repeats, {settings.self, "scan", tree}, {0}));
  return plain.cpu_seconds < dictionary.cpu_seconds ? plain : dictionary;
}

/// Prepares a tree in a process of its own: the peak memory that the kernel reports of a child
/// starts with that of its parent, so the process that measures has to stay small.
arrow::Status Prepare(const Settings& settings, const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {settings.self};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return RunMeasured(command, {}).status();
}

/// Writes a tree anew with the exporter of the engine.
arrow::Status WriteOwn(const Settings& settings, const std::string& source,
                       const std::string& target) {
  fs::remove_all(target);
  const std::string exporter = fmt::format(
      "    plugin_urn: \"urn:otel:exporter:parquet\"\n    config: {{base_uri: \"{}\"}}\n",
      fs::absolute(target).string());
  const std::string pipeline = WritePipeline(settings, "write-own", source, exporter);
  return RunMeasured({settings.engine, "--num-cores", "1", "--pipeline", pipeline}, {}).status();
}

/// Counts the rows and bytes of a tree, in a process of its own too.
arrow::Result<ScanResult> CountRows(const Settings& settings, const std::string& tree) {
  const std::string facts = settings.work_folder + "/facts";
  ARROW_RETURN_NOT_OK(Prepare(settings, {"scan", tree, "--facts", facts}));
  ScanResult result;
  std::ifstream(facts) >> result.num_files >> result.num_rows >> result.file_bytes;
  return result;
}

arrow::Result<Row> Measure(const Settings& settings, const std::string& layout, int scale,
                           const std::string& tree) {
  Row row{.layout = layout, .scale = scale, .scan = {}, .replay = {}, .replay_two_cores = {}};
  ARROW_ASSIGN_OR_RAISE(const ScanResult facts, CountRows(settings, tree));
  row.rows = facts.num_rows;
  row.bytes = facts.file_bytes;
  const std::string pipeline =
      WritePipeline(settings, fmt::format("{}-{}", layout, scale), tree, kNoop);
  ARROW_ASSIGN_OR_RAISE(row.scan, Scan(settings, tree));
  ARROW_ASSIGN_OR_RAISE(
      row.replay,
      BestOf(settings.repeats, {settings.engine, "--num-cores", "1", "--pipeline", pipeline}, {0}));
  ARROW_ASSIGN_OR_RAISE(
      row.replay_two_cores,
      BestOf(settings.repeats, {settings.engine, "--num-cores", "2", "--pipeline", pipeline},
             {0, 1}));
  return row;
}

double NanosPerRow(const Row& row, const Usage& idle) {
  // What a process costs before its first file is the same at every size, so it is taken off.
  return (row.replay.cpu_seconds - idle.cpu_seconds) / static_cast<double>(row.rows) * 1e9;
}

double PeakMebibytes(const Row& row, const Usage& idle) {
  return static_cast<double>(row.replay.peak_rss_bytes - idle.peak_rss_bytes) / 1048576.0;
}

double SpeedUp(const Row& row) {
  return row.replay.wall_seconds / row.replay_two_cores.wall_seconds;
}

void PrintRow(const Row& row, const Usage& idle) {
  const double seconds = row.replay.cpu_seconds - idle.cpu_seconds;
  fmt::print(
      "{:<10} {:>3}x {:>11} {:>8.1f} {:>8.3f} {:>8.3f} {:>7.2f} {:>7.2f} {:>9.2f} {:>8.0f} "
      "{:>8.1f} {:>7.2f} {:>9.0f}\n",
      row.layout, row.scale, row.rows, static_cast<double>(row.bytes) / 1e6, row.scan.cpu_seconds,
      row.replay.cpu_seconds, row.replay.cpu_seconds / row.scan.cpu_seconds,
      row.replay.wall_seconds / row.scan.wall_seconds,
      static_cast<double>(row.rows) / seconds / 1e6, static_cast<double>(row.bytes) / seconds / 1e6,
      NanosPerRow(row, idle), SpeedUp(row), PeakMebibytes(row, idle));
}

/// Exit code of a replay of a tree without files.
constexpr int kNothingFound = 5;

/// Says of each figure what it must be and what it is, over the rows of one layout.
void PrintFigures(const std::string& layout, const std::vector<Row>& rows, const Usage& idle) {
  double worst_cpu = 0;
  double worst_wall = 0;
  double worst_peak = 0;
  double first_nanos = 0;
  double last_nanos = 0;
  double most_growth = -1;
  double speed_up = 0;
  for (const Row& row : rows) {
    if (row.layout != layout) {
      continue;
    }
    worst_cpu = std::max(worst_cpu, row.replay.cpu_seconds / row.scan.cpu_seconds);
    worst_wall = std::max(worst_wall, row.replay.wall_seconds / row.scan.wall_seconds);
    worst_peak = std::max(worst_peak, PeakMebibytes(row, idle));
    last_nanos = NanosPerRow(row, idle);
    first_nanos = first_nanos == 0 ? last_nanos : first_nanos;
    most_growth = std::max(most_growth, last_nanos / first_nanos - 1);
    speed_up = SpeedUp(row);  // of the largest size
  }
  fmt::print(
      "{}: replay / bare scan {:.2f} cpu, {:.2f} wall (must: {}); two cores over one {:.2f} "
      "(must: 1.8); "
      "peak {:.0f} MiB above idle (must: 256); time per row grows by {:.0f} % at most (must: 10), "
      "is {:+.0f} % at the largest\n",
      layout, worst_cpu, worst_wall, layout == "own" ? "1.10" : "1.25", speed_up, worst_peak,
      most_growth * 100, (last_nanos / first_nanos - 1) * 100);
}

arrow::Status Run(const Settings& settings) {
  fs::create_directories(settings.work_folder);
  const std::string empty = settings.work_folder + "/empty";
  fs::create_directories(empty);
  const std::string idle_pipeline = WritePipeline(settings, "empty", empty, kNoop);
  ARROW_ASSIGN_OR_RAISE(
      const Usage idle,
      BestOf(settings.repeats, {settings.engine, "--num-cores", "1", "--pipeline", idle_pipeline},
             {0}, kNothingFound));

  fmt::print("source {}; best of {} runs; ratios are replay / bare scan of the same files\n",
             settings.source, settings.repeats);
  fmt::print("{:<10} {:>4} {:>11} {:>8} {:>8} {:>8} {:>7} {:>7} {:>9} {:>8} {:>8} {:>7} {:>9}\n",
             "layout", "size", "rows", "MB", "scan s", "replay s", "cpu", "wall", "Mrows/s", "MB/s",
             "ns/row", "2 cores", "peak MiB");
  std::vector<Row> rows;
  for (const int scale : settings.scales) {
    for (const bool rewritten : {false, true}) {
      const std::string upstream = fmt::format("{}/upstream-{}", settings.work_folder, scale);
      const std::string own = fmt::format("{}/own-{}", settings.work_folder, scale);
      if (!rewritten) {
        ARROW_RETURN_NOT_OK(
            Prepare(settings, {"multiply", settings.source, upstream, std::to_string(scale)}));
      } else {
        ARROW_RETURN_NOT_OK(WriteOwn(settings, upstream, own));
      }
      const std::string& tree = rewritten ? own : upstream;
      ARROW_ASSIGN_OR_RAISE(const Row row,
                            Measure(settings, rewritten ? "own" : "upstream", scale, tree));
      PrintRow(row, idle);
      rows.push_back(row);
      std::fflush(stdout);
    }
    const std::string tree = fmt::format("{}/upstream-{}", settings.work_folder, scale);
    if (scale == settings.scales.back()) {
      // The bytes end in the null device: the disk is not what is measured.
      const std::string out = settings.work_folder + "/otlp";
      fs::remove_all(out);
      fs::create_directories(out);
      for (const char* signal : {"logs", "traces", "metrics"}) {
        fs::create_symlink("/dev/null", fmt::format("{}/{}.otlp", out, signal));
      }
      const std::string pipeline =
          WritePipeline(settings, "otlp", tree,
                        fmt::format("    plugin_urn: \"urn:otel:file:exporter\"\n    config:\n     "
                                    " path: \"{}/{{signal}}.otlp\"\n"
                                    "      format: otlp_proto\n",
                                    fs::absolute(out).string()));
      ARROW_ASSIGN_OR_RAISE(const Usage scan, Scan(settings, tree));
      ARROW_ASSIGN_OR_RAISE(
          const Usage otlp,
          BestOf(settings.repeats, {settings.engine, "--num-cores", "1", "--pipeline", pipeline},
                 {0}));
      fmt::print("replay to OTLP bytes, {}x: {:.3f} s cpu, {:.2f} of the bare scan\n", scale,
                 otlp.cpu_seconds, otlp.cpu_seconds / scan.cpu_seconds);
      fs::remove_all(out);
    }
  }
  for (const char* layout : {"upstream", "own"}) {
    PrintFigures(layout, rows, idle);
  }
  fmt::print("idle engine: {:.0f} MiB, {:.3f} s cpu; peak is above that\n",
             static_cast<double>(idle.peak_rss_bytes) / 1048576.0, idle.cpu_seconds);
  return arrow::Status::OK();
}

}  // namespace
}  // namespace df::bench

int main(int argc, char** argv) {
  CLI::App app("Replay against a bare scan of the same files");
  df::bench::Settings settings;
  settings.self = std::filesystem::read_symlink("/proc/self/exe").string();
  auto* run = app.add_subcommand("run", "prints the table");
  run->add_option("--source", settings.source, "tree to multiply")->required();
  run->add_option("--engine", settings.engine, "path of df_engine")->required();
  run->add_option("--work", settings.work_folder, "where trees are written")->required();
  run->add_option("--scales", settings.scales, "sizes")->delimiter(',');
  run->add_option("--repeats", settings.repeats, "runs of each command");
  auto* scan = app.add_subcommand("scan", "scans a tree and prints nothing");
  std::string tree;
  bool plain = false;
  scan->add_option("tree", tree)->required();
  scan->add_flag("--plain", plain, "read text as plain columns");
  std::string facts;
  scan->add_option("--facts", facts, "file to write the counts of files, rows and bytes to");
  std::string target;
  int copies = 1;
  auto* multiply = app.add_subcommand("multiply", "copies every partition of a tree");
  multiply->add_option("tree", tree)->required();
  multiply->add_option("target", target)->required();
  multiply->add_option("copies", copies)->required();
  app.require_subcommand(1);
  CLI11_PARSE(app, argc, argv);
  if (const auto status = arrow::compute::Initialize(); !status.ok()) {
    fmt::print(stderr, "{}\n", status.ToString());
    return 1;
  }
  arrow::Status status;
  if (scan->parsed()) {
    const auto counts = df::bench::BareScan(tree, !plain);
    status = counts.status();
    if (status.ok() && !facts.empty()) {
      std::ofstream(facts) << counts->num_files << ' ' << counts->num_rows << ' '
                           << counts->file_bytes << '\n';
    }
  } else if (multiply->parsed()) {
    status = df::bench::MultiplyTree(tree, target, copies);
  } else {
    status = df::bench::Run(settings);
  }
  if (!status.ok()) {
    fmt::print(stderr, "{}\n", status.ToString());
    return 1;
  }
  return 0;
}
