// Archives that grow while they are read, and readers that end and come back.
#include <csignal>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "e2e/http_client.h"
#include "e2e/tree_files.h"
#include "otlp/encode.h"
#include "scenarios/scenario.h"
#include "testing/lake_writer.h"

namespace df::scenarios {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr int64_t kStart = 1'750'000'000'000'000'000;

int64_t NowUnixNanos() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// One process writes an archive and replays it while records come in.
void Follow(Trial& trial) {
  const int64_t num_seconds = trial.Scaled(600, 8);
  constexpr int64_t kPerRequest = 100;
  constexpr milliseconds kBetween(100);
  CountingServer server;
  const fs::path folder = trial.Folder("engine");
  const fs::path lake = trial.Folder("lake");
  const fs::path document = WriteDocument(
      folder,
      {fmt::format("nodes: {{in: {{type: receiver:otlp, config: {{protocols: {{http: "
                   "{{listening_addr: '127.0.0.1:0', wait_for_result: false}}}}}}}}, "
                   "out: {{type: exporter:parquet, config: {{base_uri: '{}', writer_options: "
                   "{{flush_when_older_than: 2s}}}}}}}}, connections: [{{from: in, to: out}}]",
                   lake.string()),
       fmt::format("nodes: {{in: {{type: receiver:parquet, config: {{base_uri: '{}', "
                   "signal_types: [logs], polling_interval: 1s}}}}, "
                   "out: {{type: exporter:otlp_http, config: {{endpoint: '{}'}}}}}}, "
                   "connections: [{{from: in, to: out}}]",
                   lake.string(), server.uri())});
  e2e::EngineProcess engine(
      folder, {.arguments = {"-c", document.string()}, .program = trial.settings().engine});
  const uint16_t port = PortOf(&engine, "OTLP over HTTP at 127.0.0.1:");
  if (!trial.Expect(port != 0, "the engine does not listen: " + engine.Log())) {
    return;
  }
  std::vector<otap::BatchPtr> sent;
  const int64_t num_requests = num_seconds * 1'000 / kBetween.count();
  auto due = steady_clock::now();
  for (int64_t i = 0; i < num_requests; ++i) {
    auto batches = CountedLogs(i * kPerRequest, kPerRequest, kPerRequest,
                               NowUnixNanos() - i * kPerRequest, 3, 1);
    for (const otap::BatchPtr& batch : batches) {
      const e2e::HttpAnswer answer =
          e2e::Http(port, "POST", "/v1/logs", otlp::EncodeRequest(*batch).ValueOrDie(),
                    "application/x-protobuf");
      trial.Expect(answer.status == 200, fmt::format("answered with {}", answer.status));
    }
    sent.insert(sent.end(), batches.begin(), batches.end());
    due += kBetween;
    std::this_thread::sleep_until(due);  // this is the load, not a wait for something
  }
  server.WaitForItems(num_requests * kPerRequest, seconds(60));
  engine.Signal(SIGTERM);
  const int code = engine.Wait();
  trial.Expect(code == 0 || code == 143, fmt::format("exit code {}: {}", code, engine.Log()));
  const otlp::Comparison found = server.CompareWith(otap::Signal::kLogs, sent);
  trial.Expect(found.is_equal(), found.Line(otap::Signal::kLogs));
  std::vector<double> lags = server.LagSeconds();
  std::sort(lags.begin(), lags.end());
  const double lag = lags.empty() ? 0 : lags[lags.size() * 99 / 100];
  trial.Expect(lag < 10, fmt::format("99 % of the records come within {:.1f} s", lag));
  trial.Figure(
      fmt::format("{} records in {} s, 99 % within {:.1f} s", found.expected, num_seconds, lag));
}

/// A tree in files of a hundred log records.
struct Files {
  fs::path lake;
  std::vector<otap::BatchPtr> sent;
  int64_t num_items = 0;
};

Files HundredsOfLogs(Trial& trial, int64_t num_files, int num_partitions) {
  Files files;
  files.num_items = num_files * 100;
  files.sent = CountedLogs(0, files.num_items, 100, kStart);
  files.lake = trial.Folder("lake");
  testing::LakeWriterOptions options;
  options.layout = testing::LakeLayout::kOwn;
  options.root_rows_per_file = 1;
  options.batches_per_partition =
      static_cast<int>((num_files + num_partitions - 1) / num_partitions);
  const auto written = testing::WriteLake(files.lake, files.sent, options, trial.settings().seed);
  trial.Expect(written.ok(), written.status().ToString());
  return files;
}

std::string Checkpoint(const fs::path& directory, const std::string& save_interval) {
  return fmt::format("      checkpoint: {{directory: '{}', name: night, save_interval: {}}}\n",
                     directory.string(), save_interval);
}

fs::path ReplayDocument(Trial& trial, const fs::path& lake, const std::string& uri,
                        const std::string& more, const std::string& polling = "once") {
  return e2e::WritePipeline(trial.Folder("document"), {.base = lake,
                                                       .signals = "[logs]",
                                                       .polling = polling,
                                                       .more_receiver_config = more,
                                                       .processing = "        batch_size: 100\n",
                                                       .exporter = HttpExporter(uri)});
}

void Restart(Trial& trial) {
  const Files files = HundredsOfLogs(trial, trial.Scaled(200, 40), 20);
  CountingServer server;
  const fs::path state = trial.Folder("state");
  const fs::path document =
      ReplayDocument(trial, files.lake, server.uri(), Checkpoint(state, "10ms"));
  std::vector<int64_t> after;
  for (int run = 0; run < 3; ++run) {
    const fs::path folder = trial.Folder("run");
    e2e::EngineProcess engine(folder, {.arguments = {"-c", document.string(), "--num-cores", "1"},
                                       .program = trial.settings().engine});
    if (run == 0) {
      server.WaitForItems(files.num_items / 2, seconds(60));
      engine.Signal(SIGTERM);
    }
    const int code = engine.Wait();
    // A run that was to read once and was stopped is incomplete.
    trial.Expect(code == 0 || (run == 0 && code == 4),
                 fmt::format("run {} ends with {}: {}", run, code, engine.Log()));
    after.push_back(server.num_items());
  }
  trial.Expect(after[2] == after[1], "the third run sends something again");
  const otlp::Comparison found = server.CompareWith(otap::Signal::kLogs, files.sent);
  trial.Expect(found.is_equal(), found.Line(otap::Signal::kLogs));
  const Replayed shown = Run(trial, {"checkpoint", "show", (state / "night").string(), "--json"});
  trial.Expect(shown.exit_code == 0, "checkpoint show: " + shown.log);
  trial.Figure(
      fmt::format("{} records in three runs: {}, {}, 0", after[2], after[0], after[1] - after[0]));
}

/// Files that grow where they are, children often behind their parents.
void WriterRace(Trial& trial) {
  const Files files = HundredsOfLogs(trial, trial.Scaled(500, 40), 10);
  std::vector<fs::path> sources;
  for (const auto& entry : fs::recursive_directory_iterator(files.lake)) {
    if (entry.path().extension() == ".parquet") {
      sources.push_back(fs::relative(entry.path(), files.lake));
    }
  }
  std::shuffle(sources.begin(), sources.end(), trial.random());
  const fs::path growing = trial.Folder("growing");
  fs::create_directories(growing / "logs");
  CountingServer server;
  const fs::path document = ReplayDocument(trial, growing, server.uri(), "", "200ms");
  std::ofstream(document, std::ios::app);
  const fs::path folder = trial.Folder("run");
  std::string text;
  {
    std::ifstream stream(document);
    text.assign(std::istreambuf_iterator<char>(stream), {});
  }
  const std::string age = "        min_file_age: 1s\n        completeness_grace: 3s\n";
  text.insert(text.find("        batch_size"), age);
  std::ofstream(document) << text;
  e2e::EngineProcess engine(folder, {.arguments = {"-c", document.string(), "--num-cores", "1"},
                                     .program = trial.settings().engine});
  for (const fs::path& source : sources) {
    std::ifstream from(files.lake / source, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(from), {}};
    fs::create_directories((growing / source).parent_path());
    std::ofstream to(growing / source, std::ios::binary);
    constexpr size_t kStep = 1'024;
    for (size_t at = 0; at < bytes.size(); at += kStep) {
      to << bytes.substr(at, kStep) << std::flush;
      std::this_thread::sleep_for(std::chrono::microseconds(200));  // the writer is this slow
    }
  }
  trial.Expect(server.WaitForItems(files.num_items, seconds(120)),
               fmt::format("{} of {} records came", server.num_items(), files.num_items));
  engine.Signal(SIGTERM);
  const int code = engine.Wait();
  trial.Expect(code == 0 || code == 143,
               fmt::format("exit code {}: {}", code, engine.Output() + engine.Log()));
  const otlp::Comparison found = server.CompareWith(otap::Signal::kLogs, files.sent);
  trial.Expect(found.is_equal(), found.Line(otap::Signal::kLogs));
  trial.Expect(engine.Log().find("error") == std::string::npos, engine.Log());
  trial.Figure(
      fmt::format("{} files in steps of 1 KB, {} records", sources.size(), found.expected));
}

void Kills(Trial& trial) {
  const Files files = HundredsOfLogs(trial, trial.Scaled(4'000, 200), 20);
  const int64_t most_kills = trial.Scaled(100, 6);
  e2e::EngineProcess* victim = nullptr;
  std::mutex mutex;
  int64_t left = 0;
  CountingServer server([&] {
    const std::lock_guard lock(mutex);
    if (victim != nullptr && --left <= 0) {
      victim->Signal(SIGKILL);
    }
    return CountingServer::Fate::kTaken;
  });
  const fs::path state = trial.Folder("state");
  const fs::path document =
      ReplayDocument(trial, files.lake, server.uri(), Checkpoint(state, "5ms"));
  int64_t num_kills = 0;
  int code = -1;
  while (code != 0) {
    e2e::EngineProcess engine(trial.Folder("run"),
                              {.arguments = {"-c", document.string(), "--num-cores", "1"},
                               .program = trial.settings().engine});
    {
      const std::lock_guard lock(mutex);
      victim = num_kills < most_kills ? &engine : nullptr;
      left = testing::Between(trial.random(), 1,
                              std::max<int64_t>(2, 2 * std::ssize(files.sent) / most_kills));
    }
    code = engine.Wait();
    {
      const std::lock_guard lock(mutex);
      victim = nullptr;
    }
    if (!trial.Expect(code == 0 || code == 128 + SIGKILL,
                      fmt::format("exit code {}: {}", code, engine.Log()))) {
      return;
    }
    num_kills += code == 0 ? 0 : 1;
    if (fs::exists(state / "night.sqlite")) {
      const Replayed shown = Run(trial, {"checkpoint", "show", (state / "night").string()});
      trial.Expect(shown.exit_code == 0,
                   fmt::format("the checkpoint does not open: {}", shown.log));
    }
  }
  const otlp::Comparison found = server.CompareWith(otap::Signal::kLogs, files.sent);
  trial.Expect(found.missing == 0, found.Line(otap::Signal::kLogs));
  // What was in flight, and what was acknowledged and not saved yet.
  constexpr int64_t kUnsavedBatches = 40;
  trial.Expect(found.extra <= num_kills * kUnsavedBatches * 100,
               fmt::format("{} records came twice after {} kills", found.extra, num_kills));
  trial.Figure(
      fmt::format("{} records, {} kills, {} came twice", found.expected, num_kills, found.extra));
}

}  // namespace

std::vector<Scenario> Following() {
  return {{"S-04", "an archive followed as it is written", Follow},
          {"S-06", "stopped, and gone on from a checkpoint", Restart},
          {"S-17", "files that grow in place", WriterRace},
          {"S-18", "killed at random", Kills}};
}

}  // namespace df::scenarios
