// What is sent comes back: OTLP in, our Parquet, OTLP out; and ids at their limits.
#include <csignal>

#include <fmt/format.h>

#include "e2e/http_client.h"
#include "otlp/encode.h"
#include "scenarios/scenario.h"
#include "testing/lake_writer.h"

namespace df::scenarios {
namespace {

namespace fs = std::filesystem;

/// A pipeline that takes OTLP over HTTP and writes Parquet.
std::string Archiving(const fs::path& lake, const std::string& writer_options) {
  return fmt::format(
      "nodes: {{in: {{type: receiver:otlp, config: {{protocols: {{http: "
      "{{listening_addr: '127.0.0.1:0', wait_for_result: true}}}}}}}}, "
      "out: {{type: exporter:parquet, config: {{base_uri: '{}', writer_options: {{{}}}}}}}}}, "
      "connections: [{{from: in, to: out}}]",
      lake.string(), writer_options);
}

/// Sends batches as OTLP through a process that writes an archive. Returns whether all were taken.
bool Archive(Trial& trial, const fs::path& lake, const std::vector<otap::BatchPtr>& batches,
             const std::string& writer_options) {
  const fs::path folder = trial.Folder("archive");
  const fs::path document = WriteDocument(folder, {Archiving(lake, writer_options)});
  e2e::EngineProcess engine(folder, {.arguments = {"--strict", "-c", document.string()},
                                     .program = trial.settings().engine});
  const uint16_t port = PortOf(&engine, "OTLP over HTTP at 127.0.0.1:");
  if (!trial.Expect(port != 0, "the engine does not listen: " + engine.Log())) {
    return false;
  }
  bool is_taken = true;
  for (const otap::BatchPtr& batch : batches) {
    const std::string request = otlp::EncodeRequest(*batch).ValueOrDie();
    const e2e::HttpAnswer answer =
        e2e::Http(port, "POST", "/v1/" + std::string(otap::Name(batch->signal())), request,
                  "application/x-protobuf");
    is_taken = trial.Expect(answer.status == 200,
                            fmt::format("a request was answered with {}", answer.status)) &&
               is_taken;
  }
  engine.Signal(SIGTERM);
  const int code = engine.Wait();
  return trial.Expect(code == 0, fmt::format("archiving ends with {}: {}", code, engine.Log())) &&
         is_taken;
}

std::vector<otap::BatchPtr> RandomItems(Trial& trial, otap::Signal signal, int64_t root_rows,
                                        testing::RandomBatchOptions shape) {
  std::vector<otap::BatchPtr> batches;
  while (root_rows > 0) {
    shape.root_rows = static_cast<int>(std::min<int64_t>(root_rows, 500));
    batches.push_back(testing::RandomBatch(signal, shape, trial.random()));
    root_rows -= shape.root_rows;
  }
  return batches;
}

void RoundTrip(Trial& trial, otap::Signal signal, const std::vector<otap::BatchPtr>& batches,
               const std::vector<int>& batch_sizes) {
  const fs::path lake = trial.Folder("lake");
  if (!Archive(trial, lake, batches, "target_rows_per_file: 7000, flush_when_older_than: 20ms")) {
    return;
  }
  int64_t num_items = 0;
  for (const int batch_size : batch_sizes) {
    const Replayed replayed = Replay(trial, {.base = lake,
                                             .signals = fmt::format("[{}]", otap::Name(signal)),
                                             .batch_size = batch_size,
                                             .more_receiver_config = ""});
    num_items = ExpectSame(trial, fmt::format("batches of {}", batch_size), batches, replayed);
  }
  trial.Figure(fmt::format("{} items, each once", num_items));
}

void Logs(Trial& trial) {
  testing::RandomBatchOptions shape;
  shape.max_resources = 5;
  shape.max_scopes_per_resource = 7;
  shape.max_attributes = 12;
  shape.without_attributes = 1.0 / 3;
  RoundTrip(trial, otap::Signal::kLogs,
            RandomItems(trial, otap::Signal::kLogs, trial.Scaled(100'000, 500), shape), {8192});
}

void Traces(Trial& trial) {
  testing::RandomBatchOptions shape;
  std::vector<otap::BatchPtr> batches =
      RandomItems(trial, otap::Signal::kTraces, trial.Scaled(19'500, 300), shape);
  // Some spans with very many events and links.
  shape.max_children = 200;
  for (otap::BatchPtr& batch :
       RandomItems(trial, otap::Signal::kTraces, trial.Scaled(500, 20), shape)) {
    batches.push_back(std::move(batch));
  }
  RoundTrip(trial, otap::Signal::kTraces, batches, {7, 1000});
}

void Metrics(Trial& trial) {
  std::vector<otap::BatchPtr> batches = RandomItems(
      trial, otap::Signal::kMetrics, trial.Scaled(20'000, 200), testing::RandomBatchOptions());
  // One metric with very many points.
  testing::RandomBatchOptions large;
  large.root_rows = 1;
  large.max_children = static_cast<int>(trial.Scaled(200'000, 5'000));
  large.without_children = 0;
  batches.push_back(testing::RandomBatch(otap::Signal::kMetrics, large, trial.random()));
  RoundTrip(trial, otap::Signal::kMetrics, batches, {8192});
}

void IdExtremes(Trial& trial) {
  struct Case {
    std::string name;
    testing::LakeWriterOptions lake;
    int64_t records = 0;
    int64_t per_batch = 40;
  };
  constexpr uint64_t kLargest = 0xFFFFFFFF;
  const int64_t large = trial.Scaled(200'000, 2'000);
  std::vector<Case> cases(9);
  cases[0] = {"ids from 0", {}, 1'000};
  cases[1] = {"ids across 65535", {.first_id = 65'000}, 1'000};
  cases[2] = {"the last ids of all", {.first_id = kLargest - 1'500}, 1'000};
  cases[3] = {"steps of 100", {.id_step = 100}, 1'000};
  cases[4] = {"gaps", {.id_gaps = 0.3}, 1'000};
  cases[5] = {"descending", {.descending_ids = true}, 1'000};
  cases[6] = {"the same in two partitions", {.batches_per_partition = 13}, 1'000};
  cases[7] = {"one file of 65,537", {}, std::min<int64_t>(65'537, large), 65'535};
  cases[8] = {"one file of 200,000", {}, large, 10'000};
  int64_t num_items = 0;
  for (Case& one : cases) {
    one.lake.layout = testing::LakeLayout::kOwn;
    const std::vector<otap::BatchPtr> batches =
        CountedLogs(0, one.records, one.per_batch, 1'750'000'000'000'000'000);
    const fs::path lake = trial.Folder("lake");
    const auto written = testing::WriteLake(lake, batches, one.lake, trial.settings().seed);
    if (!trial.Expect(written.ok(), one.name + ": " + written.status().ToString())) {
      continue;
    }
    for (const int batch_size : {1, 1000, 65535}) {
      if (batch_size == 1 && one.records > 2'000) {
        continue;  // a request a record
      }
      num_items +=
          ExpectSame(trial, fmt::format("{}, batches of {}", one.name, batch_size), batches,
                     Replay(trial, {.base = lake,
                                    .signals = "[logs]",
                                    .batch_size = batch_size,
                                    .more_receiver_config = ""}));
    }
  }
  trial.Figure(fmt::format("{} trees, {} items", cases.size(), num_items));
}

/// Children in any order, in files that overlap, within the limit of memory.
void UnsortedChildren(Trial& trial) {
  struct Case {
    std::string name;
    testing::ChildOrder order;
    int64_t root_rows_per_file;
    int64_t child_rows_per_file;
  };
  const int64_t records = trial.Scaled(200'000, 4'000);
  const Case cases[] = {
      {"by type, key and value", testing::ChildOrder::kByKey, records / 4, 0},
      {"shuffled over files", testing::ChildOrder::kShuffledInFile, records / 4, records / 7},
      {"one child file, 50 root files", testing::ChildOrder::kByParent, records / 50, 0},
      {"very many child files", testing::ChildOrder::kByParent, 0,
       std::max<int64_t>(1, records / 500)},
  };
  int64_t most_memory = 0;
  for (const Case& one : cases) {
    testing::LakeWriterOptions options;
    options.layout = testing::LakeLayout::kOwn;
    options.child_order = one.order;
    options.root_rows_per_file = one.root_rows_per_file;
    options.child_rows_per_file = one.child_rows_per_file;
    options.split_batches = true;
    const std::vector<otap::BatchPtr> batches =
        CountedLogs(0, records, 2'000, 1'750'000'000'000'000'000);
    const fs::path lake = trial.Folder("lake");
    const auto written = testing::WriteLake(lake, batches, options, trial.settings().seed);
    if (!trial.Expect(written.ok(), one.name + ": " + written.status().ToString())) {
      continue;
    }
    const Replayed replayed = Replay(
        trial,
        {.base = lake, .signals = "[logs]", .more_receiver_config = "      memory_limit: 64MiB\n"});
    ExpectSame(trial, one.name, batches, replayed);
    most_memory = std::max(most_memory, replayed.usage.peak_memory_bytes);
  }
  constexpr int64_t kMiB = 1 << 20;
  trial.Figure(fmt::format("4 trees of {} records, {} MiB at most with memory_limit 64MiB", records,
                           most_memory / kMiB));
  if (trial.settings().engine != trial.settings().sanitized) {
    trial.Expect(most_memory < 320 * kMiB, "more than 320 MiB were taken");
  }
}

}  // namespace

std::vector<Scenario> RoundTrips() {
  return {{"S-01", "logs, there and back", Logs},
          {"S-02", "traces, there and back", Traces},
          {"S-03", "metrics, there and back", Metrics},
          {"S-09", "ids at their limits", IdExtremes},
          {"S-11", "children in any order and file", UnsortedChildren}};
}

}  // namespace df::scenarios
