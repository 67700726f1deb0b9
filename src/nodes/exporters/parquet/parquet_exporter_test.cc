#include "nodes/exporters/parquet/parquet_exporter.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include "testing/pipeline_harness.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::nodes::exporters::parquet {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ParquetExporterTest : public ::testing::Test {
 protected:
  void Make(const std::string& more_config = "") {
    harness_ = std::make_unique<testing::PipelineHarness>(
        fmt::format(R"(
nodes:
  source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
           out_ports: {{out: {{destinations: [sink]}}}}}}
  sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:parquet",
         config: {{base_uri: '{}'{}}}}})",
                    base().string(), more_config),
        std::vector<const engine::NodeDescriptor*>{&kDescriptor});
  }
  void Open(const std::string& more_config = "") {
    Make(more_config);
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->source().ends_by_itself = false;
    harness_->RunUntilIdle();
  }

  /// Runs the loop until something is so that a thread of the exporter brings about.
  void RunUntil(const std::function<bool()>& is_so) {
    while (!is_so()) {
      harness_->RunUntilIdle();
      std::this_thread::yield();
    }
  }
  void End() {
    harness_->source().End();
    RunUntil([this] { return harness_->has_ended(); });
  }

  std::filesystem::path base() const { return folder_.path() / "lake"; }

  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    if (std::filesystem::exists(base())) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(base())) {
        if (entry.is_regular_file()) {
          names.push_back(entry.path().filename().string());
        }
      }
    }
    return names;
  }

  int64_t FileBytes() const {
    int64_t bytes = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(base())) {
      bytes += entry.is_regular_file() ? static_cast<int64_t>(entry.file_size()) : 0;
    }
    return bytes;
  }

  testing::ReceiverScript& source() { return harness_->source(); }

  testing::TemporaryFolder folder_;
  testing::RandomEngine random_{7};
  std::unique_ptr<testing::PipelineHarness> harness_;
};

TEST_F(ParquetExporterTest, WhatIsWrittenReadsBack) {
  Open();
  const auto sent = testing::RandomBatches(30, std::nullopt, {}, random_);
  for (const otap::BatchPtr& batch : sent) {
    source().Send(batch);
  }
  End();
  EXPECT_THAT(harness_->TakeResult().errors, IsEmpty());
  ASSERT_EQ(source().outcomes.size(), sent.size());
  for (const auto& [number, outcome] : source().outcomes) {
    EXPECT_TRUE(outcome.is_ack) << outcome.reason;
  }
  testing::ExpectSameRecords(sent, testing::ReplayTree(base(), {}));
  EXPECT_EQ(harness_->metric("sink", "df.exporter.parquet.files"), std::ssize(Files()));
  EXPECT_EQ(harness_->metric("sink", "df.exporter.parquet.size"), FileBytes());
  EXPECT_EQ(harness_->metric("sink", "df.exporter.parquet.flushes", {{"reason", "end"}}), 3);
  EXPECT_EQ(harness_->metric("sink", "df.exporter.parquet.open.batches"), 0);
  EXPECT_EQ(harness_->metric("sink", "df.exporter.parquet.held.size"), 0);
}

TEST_F(ParquetExporterTest, EveryFileNamesTheStartThatHasWrittenIt) {
  std::map<std::string, int> files_of;
  for (int start = 0; start < 2; ++start) {
    Open();
    for (const otap::BatchPtr& batch : testing::RandomBatches(6, std::nullopt, {}, random_)) {
      source().Send(batch);
    }
    End();
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(base())) {
    if (entry.is_regular_file()) {
      const auto reader = ::parquet::ParquetFileReader::OpenFile(entry.path().string());
      const auto& keys = reader->metadata()->key_value_metadata();
      ++files_of[keys->Get("otap.producer").ValueOr("none")];
    }
  }
  EXPECT_EQ(files_of.size(), 2U);
  EXPECT_FALSE(files_of.contains("none"));
}

TEST_F(ParquetExporterTest, FoldersOfTimesStandAbovePartitions) {
  Open(", time_levels: hour");
  const auto sent = testing::RandomBatches(3, otap::Signal::kLogs, {}, random_);
  for (const otap::BatchPtr& batch : sent) {
    source().Send(batch);
  }
  End();
  EXPECT_THAT(harness_->TakeResult().errors, IsEmpty());
  testing::ExpectSameRecords(sent, testing::ReplayTree(base(), {}));
  int num_files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(base() / "logs")) {
    if (entry.path().extension() == ".parquet") {
      ++num_files;
      EXPECT_THAT(
          entry.path().string(),
          ::testing::ContainsRegex("logs/date=(....-..-../hour=..|mixed/hour=mixed)/_part_id="));
    }
  }
  EXPECT_GT(num_files, 1);
}

TEST_F(ParquetExporterTest, AnAckMeansThatTheFilesCanBeRead) {
  Open(", writer_options: {target_rows_per_file: 1000000, flush_when_older_than: 10s}");
  const auto sent = testing::RandomBatches(3, otap::Signal::kTraces, {}, random_);
  for (const otap::BatchPtr& batch : sent) {
    source().Send(batch);
  }
  harness_->RunUntilIdle();
  harness_->Advance(std::chrono::milliseconds(9'900));
  EXPECT_THAT(source().outcomes, IsEmpty());
  EXPECT_THAT(Files(), IsEmpty());
  // Both limits count: the one of rows does not switch off the one of age.
  harness_->Advance(std::chrono::milliseconds(200));
  RunUntil([this] { return source().outcomes.size() == 3; });
  EXPECT_TRUE(source().outcomes.at(0).is_ack);
  testing::ExpectSameRecords(sent, testing::ReplayTree(base(), {}));
  EXPECT_EQ(harness_->metric("sink", "df.exporter.parquet.flushes", {{"reason", "age"}}), 1);
  End();
}

TEST_F(ParquetExporterTest, FilesAreClosedByRows) {
  Open(", writer_options: {target_rows_per_file: 100}");
  for (int i = 0; i < 5; ++i) {
    source().Send(testing::SmallLogs(40));
  }
  RunUntil([this] { return source().outcomes.size() == 3; });
  EXPECT_EQ(Files().size(), 1U);
  End();
  EXPECT_EQ(source().outcomes.size(), 5U);
  EXPECT_EQ(Files().size(), 2U);
}

TEST_F(ParquetExporterTest, AFolderThatCannotBeWrittenIsFoundBeforeTheStart) {
  std::ofstream(base()) << "a file where the folder should be";
  Make();
  EXPECT_THAT(harness_->status().message(), HasSubstr(base().string()));
}

TEST_F(ParquetExporterTest, WhatCannotBeWrittenIsRefusedForNowAndTheRestGoesOn) {
  Open(", writer_options: {target_rows_per_file: 1}");
  std::filesystem::remove_all(base());  // which it has proven to be able to write to
  std::ofstream(base()) << "a file where the folder should be";
  source().Send(testing::SmallLogs(10));
  RunUntil([this] { return source().outcomes.size() == 1; });
  EXPECT_FALSE(source().outcomes.at(0).is_ack);
  EXPECT_FALSE(source().outcomes.at(0).is_permanent);
  EXPECT_THAT(source().outcomes.at(0).reason, HasSubstr(base().string()));

  std::filesystem::remove(base());
  const auto sent = testing::RandomBatches(1, otap::Signal::kLogs, {}, random_);
  source().Send(sent[0]);
  End();
  EXPECT_TRUE(source().outcomes.at(1).is_ack) << source().outcomes.at(1).reason;
  testing::ExpectSameRecords(sent, testing::ReplayTree(base(), {}));
  EXPECT_EQ(harness_->metric("sink", "df.exporter.parquet.flushes", {{"reason", "error"}}), 1);
  EXPECT_EQ(harness_->TakeResult().reports.back().num_problems, 0)
      << "the sender may send it again";
}

TEST_F(ParquetExporterTest, BatchesOutsideTheModelAreRefusedForGood) {
  Open();
  const auto good = testing::SmallLogs(5);
  const auto table = arrow::RecordBatch::Make(
      arrow::schema({arrow::field("id", arrow::float64())}), 1,
      {arrow::MakeArrayFromScalar(arrow::DoubleScalar(1), 1).ValueOrDie()});
  otap::BatchBuilder builder(otap::Signal::kLogs);
  ASSERT_TRUE(builder.Set(otap::TableKind::kLogs, table).ok());
  source().Send(good);
  source().Send(builder.Build());
  End();
  EXPECT_TRUE(source().outcomes.at(0).is_ack);
  EXPECT_FALSE(source().outcomes.at(1).is_ack);
  EXPECT_TRUE(source().outcomes.at(1).is_permanent);
  EXPECT_THAT(source().outcomes.at(1).reason,
              HasSubstr("table logs: column id: found double, expected uint16"));
  EXPECT_EQ(harness_->TakeResult().reports.back().num_problems, 1);
}

TEST_F(ParquetExporterTest, WhatIsEndedByForceIsRefusedAndLeavesNoFile) {
  Open(", writer_options: {row_group_bytes: 64KiB}");
  const auto sent = testing::RandomBatches(20, std::nullopt, {}, random_);
  for (const otap::BatchPtr& batch : sent) {
    source().Send(batch);
  }
  // Some row groups are written, so there are files without their names.
  RunUntil([this] { return !Files().empty(); });
  harness_->Destroy();
  EXPECT_EQ(source().outcomes.size(), sent.size());
  for (const auto& [number, outcome] : source().outcomes) {
    EXPECT_FALSE(outcome.is_ack);
    EXPECT_FALSE(outcome.is_permanent);
  }
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(ParquetExporterTest, BatchesInMemoryAreBounded) {
  Open(", memory_limit: 1MiB, writer_options: {row_group_bytes: 1GiB}");
  testing::RandomBatchOptions options;
  options.root_rows = 400;
  const auto sent = testing::RandomBatches(20, otap::Signal::kTraces, options, random_);
  int64_t most = 0;
  int64_t largest = 0;
  int64_t total = 0;
  for (const otap::BatchPtr& batch : sent) {
    source().Send(batch);
    largest = std::max(largest, batch->size_bytes());
    total += batch->size_bytes();
  }
  ASSERT_GT(total, 3'000'000);
  source().End();
  RunUntil([&] {
    most = std::max(most, harness_->metric("sink", "df.exporter.parquet.held.size"));
    return harness_->has_ended();
  });
  EXPECT_LE(most, (1 << 20) + 2 * largest);
  EXPECT_EQ(harness_->metric("sink", "df.exporter.parquet.flushes", {{"reason", "end"}}), 1);
  EXPECT_TRUE(source().outcomes.at(19).is_ack);
}

TEST_F(ParquetExporterTest, UnfinishedFilesOfAnEarlierRunAreRemoved) {
  const auto logs = base() / "logs" / "_part_id=x";
  std::filesystem::create_directories(logs);
  std::ofstream(logs / ".part-1-a.parquet.tmp") << "left";
  std::ofstream(logs / "other.tmp") << "not ours";
  Open();
  source().Send(testing::SmallLogs(1));
  End();
  EXPECT_FALSE(std::filesystem::exists(logs / ".part-1-a.parquet.tmp"));
  EXPECT_TRUE(std::filesystem::exists(logs / "other.tmp"));
}

}  // namespace
}  // namespace df::nodes::exporters::parquet
