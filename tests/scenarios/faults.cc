// Stores, destinations and machines that fail for a while.
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mount.h>

#include "e2e/object_server.h"
#include "e2e/tree_files.h"
#include "scenarios/scenario.h"
#include "testing/lake_writer.h"

namespace df::scenarios {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using Fate = CountingServer::Fate;

constexpr int64_t kStart = 1'750'000'000'000'000'000;
constexpr int64_t kMiB = 1 << 20;

/// Adds partitions to a lake.
void WriteLogs(Trial& trial, const fs::path& lake, const std::vector<otap::BatchPtr>& batches,
               int batches_per_partition) {
  testing::LakeWriterOptions options;
  options.layout = testing::LakeLayout::kOwn;
  options.root_rows_per_file = 1;
  options.batches_per_partition = batches_per_partition;
  const auto written = testing::WriteLake(lake, batches, options, trial.random()());
  trial.Expect(written.ok(), written.status().ToString());
}

void FlakyStorage(Trial& trial) {
  setenv("AWS_ACCESS_KEY_ID", "key", 1);
  setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
  setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
  const int64_t num_files = trial.Scaled(200, 20);
  const auto batches = CountedLogs(0, num_files * 100, 100, kStart);
  const fs::path lake = trial.Folder("lake");
  WriteLogs(trial, lake, batches, 10);
  const std::string lost = fs::relative(e2e::FilesOf(lake, "logs").back(), lake).string();
  for (const bool loses_one : {false, true}) {
    std::mutex mutex;
    std::mt19937_64 random(trial.settings().seed);
    int64_t num_spoiled = 0;
    e2e::ObjectServer server([&](const e2e::ObjectRequest& request) {
      const std::lock_guard lock(mutex);
      if (loses_one && request.key.ends_with(lost)) {
        return e2e::Answer::kDenied;
      }
      constexpr std::array kFaults = {e2e::Answer::kBusy, e2e::Answer::kReset, e2e::Answer::kShort};
      if (random() % 10 != 0) {
        return e2e::Answer::kWhole;
      }
      ++num_spoiled;
      return kFaults[random() % kFaults.size()];
    });
    server.PutFolder(lake, "bucket/lake");
    const Replayed replayed = Replay(
        trial,
        {.base = server.Uri("bucket/lake"), .signals = "[logs]", .more_receiver_config = ""});
    if (!loses_one) {
      ExpectSame(trial, "one request in ten fails", batches, replayed);
      trial.Figure(fmt::format("{} of {} requests fail", num_spoiled, server.requests().size()));
      continue;
    }
    const otlp::Comparison found =
        Compare(otap::Signal::kLogs, batches, e2e::OtlpFiles(replayed.folder, "logs"));
    trial.Expect(found.missing == 100 && found.extra == 0, found.Line(otap::Signal::kLogs));
    trial.Expect(replayed.exit_code == 4,
                 fmt::format("a file that is denied ends with {}", replayed.exit_code));
    trial.Expect(replayed.output.find(lost) != std::string::npos,
                 "the file that is denied is not named: " + replayed.output);
    trial.Figure(fmt::format("{} items, 100 of a denied file named", found.expected - 100));
  }
}

/// What a destination does for a while.
enum class Phase : uint8_t { kSlow, kHalfRefused, kCutOff, kWell };

constexpr std::string_view Name(Phase phase) {
  constexpr std::string_view kNames[] = {"slow", "half refused", "cut off", "well"};
  return kNames[static_cast<size_t>(phase)];
}

/// A server that goes through phases. Which one it is in, the scenario says.
class MoodyServer {
 public:
  MoodyServer() : server([this] { return Next(); }) {}

  std::atomic<Phase> phase = Phase::kSlow;
  std::atomic<int64_t> num_asked = 0;

 private:
  Fate Next() {
    const int64_t asked = num_asked++;
    switch (phase) {
      case Phase::kSlow:
        std::this_thread::sleep_for(seconds(1));  // 10 records a request: 10 rows a second
        return Fate::kTaken;
      case Phase::kHalfRefused:
        return asked % 2 == 0 ? Fate::kUnavailable : Fate::kTaken;
      case Phase::kCutOff:
        return Fate::kCutOff;
      case Phase::kWell:
        break;
    }
    return Fate::kTaken;
  }

 public:
  CountingServer server;
};

/// A replay that tries again for as long as it takes, ten records at a time.
fs::path RetryingDocument(Trial& trial, const fs::path& lake, const std::string& uri) {
  return WriteDocument(
      trial.Folder("document"),
      {fmt::format(
          "nodes: {{in: {{type: receiver:parquet, config: {{base_uri: '{}', signal_types: [logs], "
          "polling_interval: once, processing_options: {{batch_size: 10}}}}}}, "
          "again: {{type: processor:retry, config: {{initial_interval: 100ms, max_interval: 1s, "
          "max_elapsed_time: 1h}}}}, "
          "out: {{type: exporter:otlp_http, config: {{endpoint: '{}', max_in_flight: 1}}}}}}, "
          "connections: [{{from: in, to: again}}, {{from: again, to: out}}]",
          lake.string(), uri)});
}

void BadDownstream(Trial& trial) {
  const auto batches = CountedLogs(0, trial.Scaled(40'000, 2'000), 100, kStart);
  const fs::path lake = trial.Folder("lake");
  WriteLogs(trial, lake, batches, 10);
  const milliseconds per_phase(trial.Scaled(30'000, 2'000));
  const bool is_sanitized = trial.settings().engine == trial.settings().sanitized;

  MoodyServer moody;
  const std::string document = RetryingDocument(trial, lake, moody.server.uri()).string();
  e2e::EngineProcess engine(trial.Folder("run"), {.arguments = {"-c", document, "--num-cores", "1"},
                                                  .program = trial.settings().engine});
  moody.server.WaitForItems(10, seconds(30));
  const int64_t memory_before = MemoryOf(engine.pid());
  std::vector<std::string> shares;
  for (const Phase phase : {Phase::kSlow, Phase::kHalfRefused, Phase::kCutOff}) {
    moody.phase = phase;
    const auto cpu_before = CpuTimeOf(engine.pid());
    std::this_thread::sleep_for(per_phase);  // the phase lasts this long
    const double share = static_cast<double>((CpuTimeOf(engine.pid()) - cpu_before).count()) /
                         static_cast<double>(std::chrono::microseconds(per_phase).count());
    shares.push_back(fmt::format("{} {:.1f} %", Name(phase), share * 100));
    if (phase != Phase::kHalfRefused && !is_sanitized) {
      trial.Expect(share < 0.05, "CPU while blocked: " + shares.back());
    }
  }
  const int64_t memory_after = MemoryOf(engine.pid());
  if (!is_sanitized) {
    trial.Expect(
        memory_after < memory_before + memory_before / 10 + 8 * kMiB,
        fmt::format("memory went from {} to {} MiB", memory_before / kMiB, memory_after / kMiB));
  }
  moody.phase = Phase::kWell;
  const int code = engine.Wait();
  trial.Expect(code == 0, fmt::format("exit code {}: {}", code, engine.Output() + engine.Log()));
  const otlp::Comparison found = moody.server.CompareWith(otap::Signal::kLogs, batches);
  trial.Expect(found.missing == 0, found.Line(otap::Signal::kLogs));
  // An answer that was cut off may have been a yes: those are sent again.
  trial.Expect(found.extra <= moody.num_asked.load() * 10, found.Line(otap::Signal::kLogs));
  trial.Figure(fmt::format("{} items, {} twice, CPU {}, {} MiB", found.expected, found.extra,
                           fmt::join(shares, ", "), memory_after / kMiB));

  // A stop in each phase ends in time.
  double longest = 0;
  for (const Phase phase : {Phase::kSlow, Phase::kHalfRefused, Phase::kCutOff}) {
    MoodyServer other;
    other.phase = phase;
    const std::string path = RetryingDocument(trial, lake, other.server.uri()).string();
    e2e::EngineProcess stopped(trial.Folder("run"), {.arguments = {"-c", path, "--num-cores", "1"},
                                                     .program = trial.settings().engine});
    other.server.WaitForRequests(1, seconds(60));
    const auto begin = steady_clock::now();
    stopped.Signal(SIGTERM);
    const int ended = stopped.Wait();
    longest = std::max(longest, std::chrono::duration<double>(steady_clock::now() - begin).count());
    trial.Expect(
        ended == 143 || ended == 3 || ended == 4 || (ended == 0 && phase != Phase::kCutOff),
        fmt::format("a stop while {} ends with {}", Name(phase), ended));
  }
  trial.Expect(longest < (is_sanitized ? 40 : 15), fmt::format("a stop takes {:.1f} s", longest));
  trial.Figure(fmt::format("a stop takes {:.1f} s at most", longest));
}

/// A file system of its own that is full until somebody makes room.
class SmallDisk {
 public:
  explicit SmallDisk(const fs::path& folder) : folder_(folder) {
    is_there_ = mount("none", folder.c_str(), "tmpfs", 0, "size=8m") == 0;
  }
  ~SmallDisk() {
    if (is_there_) {
      umount2(folder_.c_str(), MNT_DETACH);
    }
  }
  bool is_there() const { return is_there_; }
  void Fill() const {
    std::ofstream file(folder_ / "filler", std::ios::binary);
    const std::string block(4'096, 'x');
    while (file.write(block.data(), std::ssize(block)).flush()) {
    }
  }
  void MakeRoom() const { fs::remove(folder_ / "filler"); }

 private:
  fs::path folder_;
  bool is_there_ = false;
};

void FullDisk(Trial& trial, const fs::path& lake, const std::vector<otap::BatchPtr>& batches) {
  const fs::path state = trial.Folder("state");
  const SmallDisk disk(state);
  if (!disk.is_there()) {
    trial.NotTried("a full disk: no file system can be mounted here");
    return;
  }
  CountingServer server;
  const fs::path document = e2e::WritePipeline(
      trial.Folder("document"),
      {.base = lake,
       .signals = "[logs]",
       .polling = "200ms",
       .more_receiver_config =
           fmt::format("      checkpoint: {{directory: '{}', name: night, save_interval: 20ms}}\n",
                       (state / "checkpoints").string()),
       .exporter = HttpExporter(server.uri())});
  // The checkpoint is made while there is room; then the disk is full.
  std::string log;
  {
    e2e::EngineProcess first(trial.Folder("run"),
                             {.arguments = {"-c", document.string(), "--num-cores", "1"},
                              .program = trial.settings().engine});
    server.WaitForItems(100, seconds(30));
    disk.Fill();
    const auto more = CountedLogs(1'000'000, 400, 100, kStart + 1, 2);
    WriteLogs(trial, lake, more, 10);
    std::vector<otap::BatchPtr> all = batches;
    all.insert(all.end(), more.begin(), more.end());
    const int64_t num_items = Compare(otap::Signal::kLogs, all, {}).expected;
    trial.Expect(
        server.WaitForItems(num_items, seconds(60)),
        fmt::format("{} of {} items came while the disk was full", server.num_items(), num_items));
    const bool is_named = first.WaitForOutput(
        [&](const std::string&) { return first.Log().find("night") != std::string::npos; },
        seconds(20));
    trial.Expect(is_named, "nothing is said of a checkpoint that cannot be saved: " + first.Log());
    disk.MakeRoom();
    first.Signal(SIGTERM);
    const int code = first.Wait();
    trial.Expect(code == 0 || code == 143 || code == 4,
                 fmt::format("exit code {}: {}", code, first.Log()));
    const otlp::Comparison found = server.CompareWith(otap::Signal::kLogs, all);
    trial.Expect(found.is_equal(), found.Line(otap::Signal::kLogs));
    log = first.Output() + first.Log();
  }
  // What was delivered while the disk was full was saved when there was room again.
  const int64_t before = server.num_items();
  e2e::EngineProcess second(trial.Folder("run"),
                            {.arguments = {"-c", document.string(), "--num-cores", "1"},
                             .program = trial.settings().engine});
  server.WaitForItems(before + 1, seconds(2));
  second.Signal(SIGTERM);
  second.Wait();
  trial.Expect(server.num_items() == before,
               fmt::format("{} items came again after the disk was full: {}",
                           server.num_items() - before, log));
  trial.Figure("full disk: no loss, saved later");
}

void Limits(Trial& trial) {
  const int64_t num_files = trial.Scaled(2'000, 200);
  const auto batches = CountedLogs(0, num_files * 100, 100, kStart);
  const fs::path lake = trial.Folder("lake");
  WriteLogs(trial, lake, batches, 20);
  ReplayWishes few_files{.base = lake, .signals = "[logs]", .more_receiver_config = ""};
  few_files.max_open_files = 64;
  ExpectSame(trial, "64 open files", batches, Replay(trial, few_files));
  trial.Figure(fmt::format("{} files with 64 descriptors", 2 * num_files));

  const Replayed small = Replay(
      trial,
      {.base = lake, .signals = "[logs]", .more_receiver_config = "      memory_limit: 16MiB\n"});
  ExpectSame(trial, "memory_limit 16MiB", batches, small);
  trial.Figure(fmt::format("memory_limit 16MiB: {} MiB", small.usage.peak_memory_bytes / kMiB));
  FullDisk(trial, lake, batches);
  trial.NotTried("clock steps: unit tests with injected clocks hold them");
}

}  // namespace

std::vector<Scenario> Faults() {
  return {{"S-19", "a store that fails one request in ten", FlakyStorage},
          {"S-20", "a destination that is slow, refuses, is gone", BadDownstream},
          {"S-21", "few files, little memory, a full disk", Limits}};
}

}  // namespace df::scenarios
