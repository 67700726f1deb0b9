// Slices, documents and the demo.
#include <csignal>
#include <fstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "e2e/tree_files.h"
#include "scenarios/scenario.h"
#include "testing/lake_writer.h"

namespace df::scenarios {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kDay = 86'400 * kSecond;
constexpr int64_t kMidnight = 20'000 * kDay;

void TimeSlices(Trial& trial) {
  constexpr int64_t kPerPartition = 14'400;  // so that the borders of slices are times of records
  const int64_t num_partitions = trial.Scaled(100, 2);
  const fs::path lake = trial.Folder("lake");
  testing::LakeWriterOptions options;
  options.layout = testing::LakeLayout::kOwn;
  options.rows_per_page = 288;
  options.compression = arrow::Compression::ZSTD;
  std::vector<otap::BatchPtr> sent;
  for (int64_t i = 0; i < num_partitions; ++i) {
    const auto batches = CountedLogs(0, kPerPartition, 1'200, kMidnight, 3, kDay / kPerPartition);
    const auto written = testing::WriteLake(lake, batches, options,
                                            trial.settings().seed + static_cast<uint64_t>(i));
    if (!trial.Expect(written.ok(), written.status().ToString())) {
      return;
    }
    sent.insert(sent.end(), batches.begin(), batches.end());
  }
  const fs::path cache = trial.Folder("cache");
  const auto slice = [&](int64_t from, int64_t until, const fs::path& out) {
    return Run(trial, {"replay", lake.string(), "--signal", "logs", "--from",
                       fmt::format("{}ns", from), "--until", fmt::format("{}ns", until), "--to",
                       "file:" + out.string(), "--cache", cache.string(), "-q"});
  };
  constexpr int kSlices = 48;
  const fs::path out = trial.Folder("slices");
  std::vector<std::string> files;
  for (int i = 0; i < kSlices; ++i) {
    const fs::path file = out / fmt::format("{}.binpb", i);
    const Replayed replayed =
        slice(kMidnight + i * (kDay / kSlices), kMidnight + (i + 1) * (kDay / kSlices), file);
    trial.Expect(replayed.exit_code == 0,
                 fmt::format("slice {} ends with {}: {}", i, replayed.exit_code, replayed.log));
    files.push_back((out / fmt::format("{}-logs.binpb", i)).string());
  }
  const otlp::Comparison found = Compare(otap::Signal::kLogs, sent, files);
  trial.Expect(found.is_equal(), found.Line(otap::Signal::kLogs));

  int64_t lake_bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(lake)) {
    lake_bytes += entry.is_regular_file() ? static_cast<int64_t>(entry.file_size()) : 0;
  }
  const int64_t of_nothing = Run(trial, {"--version"}).usage.read_bytes;
  const int64_t begin = kMidnight + kDay / 2;
  const int64_t of_hundredth =
      slice(begin, begin + kDay / 100, out / "one.binpb").usage.read_bytes - of_nothing;
  const double percent =
      100.0 * static_cast<double>(of_hundredth) / static_cast<double>(lake_bytes);
  trial.Figure(fmt::format("48 slices of {} records; 1 % of the time reads {:.1f} % of {:.1f} MB",
                           found.expected, percent, static_cast<double>(lake_bytes) / 1e6));
  constexpr double kMostPercent = 3;
  constexpr int64_t kLargeEnough = 100'000'000;
  if (lake_bytes >= kLargeEnough) {
    trial.Expect(percent <= kMostPercent, fmt::format("{:.1f} % are read", percent));
  } else {
    trial.NotTried(
        "the bound of 3 %: below 100 MB pages of whole columns weigh more than what is wanted");
  }
}

/// Lines of the receiver's config, and what must be said of each; "" when it is good.
struct ConfigLine {
  std::string_view line;
  std::string_view problem;
};

constexpr ConfigLine kConfigLines[] = {
    // Good ones.
    {"polling_interval: once", ""},
    {"polling_interval: 5s", ""},
    {"polling_interval: 200ms", ""},
    {"signal_types: [logs]", ""},
    {"signal_types: [logs, traces, metrics]", ""},
    {"memory_limit: 64MiB", ""},
    {"memory_limit: 1GiB", ""},
    {"max_concurrent_partitions: 4", ""},
    {"resource_join: drop", ""},
    {"resource_join: fail", ""},
    {"digest: true", ""},
    {"keep_dead_letter_marks: true", ""},
    {"processing_options: {batch_size: 1}", ""},
    {"processing_options: {batch_size: 65535}", ""},
    {"processing_options: {min_file_age: 10s}", ""},
    {"processing_options: {validate_relations: true}", ""},
    {"select: {time: {from: 2026-01-01T00:00:00Z}}", ""},
    {"select: {where: {logs: severity_number >= SEVERITY_NUMBER_ERROR}}", ""},
    {"select: {partitions: {include: ['*']}}", ""},
    {"time: {shift: -7d}", ""},
    // Bad ones.
    {"polling_interval: 0s", "polling_interval"},
    {"polling_interval: -1s", "polling_interval"},
    {"polling_interval: often", "polling_interval"},
    {"polling_interval: 5", "polling_interval"},
    {"polling_interval: 5 parsecs", "polling_interval"},
    {"polling_interval: []", "polling_interval"},
    {"polling_intervall: 5s", "did you mean 'polling_interval'"},
    {"signal_types: []", "signal_types"},
    {"signal_types: [log]", "did you mean 'logs'"},
    {"signal_types: [logs, logs]", "signal_types"},
    {"signal_types: logs and traces", "signal_types"},
    {"signal_types: {logs: true}", "signal_types"},
    {"signal_types: [profiles]", "signal_types"},
    {"memory_limit: 1KiB", "memory_limit"},
    {"memory_limit: -5MiB", "memory_limit"},
    {"memory_limit: 12 elephants", "memory_limit"},
    {"memory_limit: 99999999999999999999MiB", "memory_limit"},
    {"max_concurrent_partitions: 0", "max_concurrent_partitions"},
    {"max_concurrent_partitions: -1", "max_concurrent_partitions"},
    {"max_concurrent_partitions: 1.5", "max_concurrent_partitions"},
    {"max_concurrent_partitions: many", "max_concurrent_partitions"},
    {"max_concurrent_partitions: 99999999999", "max_concurrent_partitions"},
    {"resource_join: guess", "resource_join"},
    {"resource_join: 3", "resource_join"},
    {"digest: perhaps", "digest"},
    {"keep_dead_letter_marks: 2", "keep_dead_letter_marks"},
    {"processing_options: {batch_size: 0}", "batch_size"},
    {"processing_options: {batch_size: -1}", "batch_size"},
    {"processing_options: {batch_size: 65536}", "batch_size"},
    {"processing_options: {batch_size: 1.5}", "batch_size"},
    {"processing_options: {batch_size: large}", "batch_size"},
    {"processing_options: {batch_size: }", "batch_size"},
    {"processing_options: {batchsize: 10}", "did you mean 'batch_size'"},
    {"processing_options: {min_file_age: -1s}", "min_file_age"},
    {"processing_options: {min_file_age: old}", "min_file_age"},
    {"processing_options: {completeness_grace: soon}", "completeness_grace"},
    {"processing_options: {late_window: 3}", "late_window"},
    {"processing_options: {validate_relations: maybe}", "validate_relations"},
    {"processing_options: 3", "processing_options"},
    {"processing_options: [batch_size]", "processing_options"},
    {"select: {time: {from: yesterdayish}}", "from"},
    {"select: {time: {from: 2026-02-30T00:00:00Z}}", "from"},
    {"select: {time: {from: 2026-01-01T00:00:00}}", "from"},
    {"select: {time: {from: 2026-02-01T00:00:00Z, to: 2026-01-01T00:00:00Z}}", "to"},
    {"select: {times: {}}", "did you mean 'time'"},
    {"select: {where: {logs: severity_numbr > 3}}", "did you mean"},
    {"select: {where: {logs: severity_number > }}", "where"},
    {"select: {where: {logs: 'severity_number > \"x\"'}}", "where"},
    {"select: {where: {logs: 'attributes[\"k\"'}}", "where"},
    {"select: {where: {profiles: 'true'}}", "where"},
    {"select: {trace_ids: [xyz]}", "trace_ids"},
    {"select: {trace_ids: [abcd]}", "trace_ids"},
    {"select: {trace_ids_file: /does/not/exist}", "/does/not/exist"},
    {"select: {partitions: {include: 5}}", "include"},
    {"pace: {speed: fast}", "speed"},
    {"pace: {speed: 0x}", "speed"},
    {"pace: {speed: -1x}", "speed"},
    {"pace: {items_per_second: -1}", "items_per_second"},
    {"pace: {bytes_per_second: lots}", "bytes_per_second"},
    {"time: {shift: far}", "shift"},
    {"time: {as_sent: true}", "as_sent"},
    {"checkpoint: {directory: state}", "name"},
    {"checkpoint: {directory: state, name: ''}", "name"},
    {"checkpoint: {directory: state, name: 'a/b'}", "name"},
    {"checkpoint: {directory: state, name: a, save_interval: 0s}", "save_interval"},
    {"catalog: {unknown_schemas: shrug}", "unknown_schemas"},
    {"catalog: {unknown_schemas: refuse}", "cache"},
    {"storage: {ftp: {}}", "storage"},
    {"base_uri: []", "base_uri"},
    {"nonsense: true", "nonsense"},
};

void Documents(Trial& trial) {
  const fs::path folder = trial.Folder("documents");
  double slowest = 0;
  int num_bad = 0;
  int num_good = 0;
  for (const ConfigLine& one : kConfigLines) {
    const fs::path path = folder / "document.yaml";
    const bool has_base = one.line.starts_with("base_uri");
    std::ofstream(path) << fmt::format(
        "version: otel_dataflow/v1\n"
        "groups:\n"
        "  g:\n"
        "    pipelines:\n"
        "      p:\n"
        "        nodes:\n"
        "          in:\n"
        "            type: receiver:parquet\n"
        "            config:\n"
        "{}"
        "              {}\n"
        "          out: {{type: exporter:noop}}\n"
        "        connections: [{{from: in, to: out}}]\n",
        has_base ? "" : fmt::format("              base_uri: {}\n", folder.string()), one.line);
    const Replayed ran = Run(trial, {"validate", path.string()});
    slowest = std::max(slowest, ran.seconds);
    const std::string said = ran.output + ran.log;
    if (one.problem.empty()) {
      ++num_good;
      trial.Expect(ran.exit_code == 0,
                   fmt::format("'{}' is refused ({}): {}", one.line, ran.exit_code, said));
    } else {
      ++num_bad;
      trial.Expect(ran.exit_code == 2,
                   fmt::format("'{}' ends with {}: {}", one.line, ran.exit_code, said));
      trial.Expect(said.find(one.problem) != std::string::npos,
                   fmt::format("'{}' is answered without '{}': {}", one.line, one.problem, said));
      trial.Expect(said.find("document.yaml:1") != std::string::npos,
                   fmt::format("'{}' is answered without its line: {}", one.line, said));
    }
    fs::remove_all(ran.folder);
  }
  trial.Figure(fmt::format("{} bad and {} good documents, {:.0f} ms at most", num_bad, num_good,
                           slowest * 1e3));
  if (trial.settings().engine != trial.settings().sanitized) {
    trial.Expect(slowest < 0.5, fmt::format("a document takes {:.0f} ms", slowest * 1e3));
  }
}

/// The keys that the report of the prototype shows.
void Demo(Trial& trial) {
  const fs::path folder = trial.Folder("demo");
  const fs::path lake = trial.Folder("lake");
  const auto batches = testing::RandomBatches(30, std::nullopt, {.root_rows = 50}, trial.random());
  const auto written = testing::WriteLake(lake, batches, {.layout = testing::LakeLayout::kOwn},
                                          trial.settings().seed);
  if (!trial.Expect(written.ok(), written.status().ToString())) {
    return;
  }
  CountingServer server;
  const fs::path document = e2e::WritePipeline(
      folder, {.base = lake,
               .polling = "5s",
               .processing = "        batch_size: 1000\n        min_file_age: 1s\n",
               .exporter = HttpExporter(server.uri())});
  e2e::EngineProcess engine(folder,
                            {.arguments = {"--num-cores", "1", "--pipeline", document.string()},
                             .program = trial.settings().engine});
  int64_t num_items = 0;
  for (const otap::Signal signal : otap::kAllSignals) {
    num_items += Compare(signal, batches, {}).expected;
  }
  trial.Expect(server.WaitForItems(num_items, std::chrono::seconds(60)),
               fmt::format("{} of {} items came", server.num_items(), num_items));
  const auto begin = std::chrono::steady_clock::now();
  engine.Signal(SIGTERM);
  const int code = engine.Wait();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  trial.Expect(code == 0, fmt::format("SIGTERM ends it with {}", code));
  trial.Expect(seconds < 2 || trial.settings().engine == trial.settings().sanitized,
               fmt::format("SIGTERM takes {:.1f} s", seconds));
  for (const otap::Signal signal : otap::kAllSignals) {
    const otlp::Comparison found = server.CompareWith(signal, batches);
    trial.Expect(found.is_equal(), found.Line(signal));
  }
  trial.Expect(engine.Log().find("error") == std::string::npos, engine.Log());
  trial.Figure(fmt::format("{} items; SIGTERM to the end {:.2f} s", num_items, seconds));
}

}  // namespace

std::vector<Scenario> Questions() {
  return {{"S-05", "the demo of the prototype", Demo},
          {"S-14", "slices of time", TimeSlices},
          {"S-15", "bad and good documents", Documents}};
}

}  // namespace df::scenarios
