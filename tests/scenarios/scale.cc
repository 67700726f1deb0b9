// Much of it: cores, rows, files.
#include <csignal>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "e2e/tree_files.h"
#include "scenarios/scenario.h"
#include "testing/lake_writer.h"

namespace df::scenarios {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

constexpr int64_t kStart = 1'750'000'000'000'000'000;
constexpr int64_t kMiB = 1 << 20;

double CpuSeconds(const Replayed& replayed) {
  return std::chrono::duration<double>(replayed.usage.cpu_time).count();
}

int64_t BytesBelow(const fs::path& folder) {
  int64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    bytes += entry.is_regular_file() ? static_cast<int64_t>(entry.file_size()) : 0;
  }
  return bytes;
}

void Cores(Trial& trial) {
  constexpr int kPartitions = 64;
  const fs::path lake = trial.Folder("lake");
  testing::LakeWriterOptions options;
  options.layout = testing::LakeLayout::kOwn;
  options.root_rows_per_file = 500;
  std::vector<otap::BatchPtr> sent;
  int64_t first = 0;
  for (int i = 0; i < kPartitions; ++i) {
    const int64_t records = trial.Scaled(100 * (1 + i % 16) * 10, 10 + i);
    const auto batches = CountedLogs(first, records, 200, kStart);
    first += records;
    const auto written = testing::WriteLake(lake, batches, options,
                                            trial.settings().seed + static_cast<uint64_t>(i));
    if (!trial.Expect(written.ok(), written.status().ToString())) {
      return;
    }
    sent.insert(sent.end(), batches.begin(), batches.end());
  }
  double of_one = 0;
  double of_most = 0;
  double most_cpu = 0;
  double least_cpu = 1e9;
  const int most_cores = static_cast<int>(std::min(4U, std::thread::hardware_concurrency()));
  for (int cores = 1; cores <= most_cores; cores *= 2) {
    for (const int partitions : {1, 4}) {
      const Replayed replayed =
          Replay(trial, {.base = lake,
                         .signals = "[logs]",
                         .num_cores = cores,
                         .more_receiver_config =
                             fmt::format("      max_concurrent_partitions: {}\n", partitions)});
      ExpectSame(trial, fmt::format("{} cores, {} partitions at once", cores, partitions), sent,
                 replayed);
      of_one = cores == 1 && partitions == 1 ? replayed.seconds : of_one;
      of_most = replayed.seconds;
      most_cpu = std::max(most_cpu, CpuSeconds(replayed));
      least_cpu = std::min(least_cpu, CpuSeconds(replayed));
    }
  }
  trial.Figure(
      fmt::format("{} records, six ways; CPU {:.2f} to {:.2f} s", first, least_cpu, most_cpu));
  if (most_cores < 4) {
    trial.NotTried("four cores: there are fewer here");
  } else {
    trial.Figure(fmt::format("4 cores {:.1f} x as fast", of_one / of_most));
  }
}

void Throughput(Trial& trial) {
  const int64_t records = trial.Scaled(20'000'000, 20'000);
  const int64_t per_partition = std::min<int64_t>(records, 100'000);
  const fs::path part = trial.Folder("part");
  testing::LakeWriterOptions options;
  options.layout = testing::LakeLayout::kOwn;
  options.compression = arrow::Compression::ZSTD;
  const auto batches = CountedLogs(0, per_partition, 10'000, kStart);
  const auto written = testing::WriteLake(part, batches, options, trial.settings().seed);
  if (!trial.Expect(written.ok(), written.status().ToString())) {
    return;
  }
  // The same partition again and again.
  const fs::path lake = trial.Folder("lake");
  const int64_t copies = records / per_partition;
  for (const auto& table : fs::directory_iterator(part)) {
    for (int64_t copy = 0; copy < copies && table.is_directory(); ++copy) {
      const fs::path folder = lake / table.path().filename() / fmt::format("_part_id={:06}", copy);
      fs::create_directories(folder);
      for (const auto& partition : fs::directory_iterator(table.path())) {
        for (const auto& file : fs::directory_iterator(partition.path())) {
          fs::copy_file(file.path(), folder / file.path().filename());
        }
      }
    }
  }
  const int64_t bytes = BytesBelow(lake);
  std::array<double, 3> cpu{};
  for (const int threads : {1, 2}) {
    const Replayed replayed = Run(trial, {"replay", lake.string(), "--to", "null", "--threads",
                                          std::to_string(threads), "--no-cache", "--json", "-q"});
    trial.Expect(replayed.exit_code == 0,
                 fmt::format("exit code {}: {}", replayed.exit_code, replayed.log));
    const std::string counted = std::to_string(copies * per_partition);
    trial.Expect(replayed.output.find(counted) != std::string::npos, "not " + counted + " records");
    cpu[static_cast<size_t>(threads)] = CpuSeconds(replayed);
    trial.Figure(
        fmt::format("{} threads: {:.2f} M records/s of CPU, {:.0f} MB/s, {} MiB", threads,
                    static_cast<double>(copies * per_partition) / 1e6 / CpuSeconds(replayed),
                    static_cast<double>(bytes) / 1e6 / CpuSeconds(replayed),
                    replayed.usage.peak_memory_bytes / kMiB));
    if (trial.settings().engine != trial.settings().sanitized) {
      trial.Expect(replayed.usage.peak_memory_bytes < 512 * kMiB, "more than 512 MiB");
    }
  }
  constexpr double kMostOverhead = 1.3;
  constexpr double kSmall = 1.0;  // seconds below which starting weighs too much
  trial.Expect(cpu[1] < kSmall || cpu[2] < kMostOverhead * cpu[1],
               fmt::format("two threads take {:.2f} s of CPU, one {:.2f} s", cpu[2], cpu[1]));
}

void ManyFiles(Trial& trial) {
  constexpr int64_t kFilesPerPartition = 1'000;
  constexpr int64_t kRows = 10;
  const int64_t num_files = trial.Scaled(1'000'000, 2'000);
  const int64_t num_partitions = std::max<int64_t>(1, num_files / kFilesPerPartition);
  const fs::path part = trial.Folder("part");
  testing::LakeWriterOptions options;
  options.layout = testing::LakeLayout::kOwn;
  options.root_rows_per_file = 1;
  // Ten different files, each under a hundred names: records without attributes have no ids.
  std::vector<otap::BatchPtr> batches;
  testing::RandomBatchOptions bare;
  bare.root_rows = kRows;
  bare.without_attributes = 1;
  bare.group_attributes = false;
  for (int i = 0; i < 10; ++i) {
    batches.push_back(testing::RandomBatch(otap::Signal::kLogs, bare, trial.random()));
  }
  const auto written = testing::WriteLake(part, batches, options, trial.settings().seed);
  if (!trial.Expect(written.ok(), written.status().ToString())) {
    return;
  }
  const std::vector<fs::path> sources = e2e::FilesOf(part, "logs");
  const fs::path lake = trial.Folder("lake");
  for (int64_t partition = 0; partition < num_partitions; ++partition) {
    const fs::path folder = lake / "logs" / fmt::format("_part_id={:06}", partition);
    fs::create_directories(folder);
    for (int64_t i = 0; i < kFilesPerPartition; ++i) {
      fs::copy_file(sources[static_cast<size_t>(i) % sources.size()],
                    folder / fmt::format("{:06}.parquet", i));
    }
  }
  const int64_t records = num_partitions * kFilesPerPartition * kRows;
  const bool is_sanitized = trial.settings().engine == trial.settings().sanitized;

  const fs::path state = trial.Folder("state");
  const auto document = [&](const std::string& polling) {
    return e2e::WritePipeline(
        trial.Folder("document"),
        {.base = lake,
         .signals = "[logs]",
         .polling = polling,
         .more_receiver_config = fmt::format("      checkpoint: {{directory: '{0}', name: night}}\n"
                                             "      catalog: {{cache: '{0}/cache'}}\n",
                                             state.string()),
         .exporter = "    plugin_urn: \"urn:otel:exporter:noop\"\n    config: {}\n"});
  };
  const Replayed counted = Run(trial, {"replay", lake.string(), "--to", "null", "--cache",
                                       (state / "cache").string(), "--json", "-q"});
  trial.Expect(
      counted.exit_code == 0 && counted.output.find(std::to_string(records)) != std::string::npos,
      fmt::format("not {} records: {}", records, counted.log));
  trial.Figure(fmt::format(
      "{} files: {:.1f} s of CPU ({:.0f} us a file), {} MiB", num_partitions * kFilesPerPartition,
      CpuSeconds(counted),
      CpuSeconds(counted) * 1e6 / static_cast<double>(num_partitions * kFilesPerPartition),
      counted.usage.peak_memory_bytes / kMiB));
  if (!is_sanitized) {
    trial.Expect(counted.usage.peak_memory_bytes < 500 * kMiB, "more than 500 MiB");
  }

  const Replayed once = Run(trial, {"-c", document("once").string(), "--num-cores", "1"});
  trial.Expect(once.exit_code == 0, fmt::format("exit code {}: {}", once.exit_code, once.log));
  // Now all files are known, and nothing is left to do but to look.
  e2e::EngineProcess engine(trial.Folder("run"),
                            {.arguments = {"-c", document("1s").string(), "--num-cores", "1"},
                             .program = trial.settings().engine});
  constexpr int kPolls = 4;
  constexpr int kLooks = 4;
  double per_poll = 1e9;
  std::chrono::microseconds before = CpuTimeOf(engine.pid());
  for (int i = 0; i < kLooks; ++i) {
    std::this_thread::sleep_for(seconds(kPolls));  // so many polls are what is measured
    const std::chrono::microseconds now = CpuTimeOf(engine.pid());
    per_poll = std::min(per_poll,
                        std::chrono::duration<double, std::milli>(now - before).count() / kPolls);
    before = now;
  }
  const int64_t resident = MemoryOf(engine.pid());
  engine.Signal(SIGTERM);
  const int code = engine.Wait();
  trial.Expect(code == 0 || code == 143, fmt::format("exit code {}: {}", code, engine.Log()));
  const double per_hundred_thousand = per_poll * 100'000 / static_cast<double>(num_files);
  trial.Figure(
      fmt::format("an idle poll takes {:.0f} ms of CPU, {} MiB", per_poll, resident / kMiB));
  trial.Figure(fmt::format("the checkpoint has {:.1f} MB",
                           static_cast<double>(fs::file_size(state / "night.sqlite")) / 1e6));
  constexpr double kMostMillis = 200;
  trial.Expect(is_sanitized || per_hundred_thousand <= kMostMillis,
               fmt::format("an idle poll takes {:.0f} ms for 100,000 files", per_hundred_thousand));
}

}  // namespace

std::vector<Scenario> Scale() {
  return {{"S-07", "64 partitions on 1, 2 and 4 cores", Cores},
          {"S-22", "throughput", Throughput},
          {"S-23", "very many small files", ManyFiles}};
}

}  // namespace df::scenarios
