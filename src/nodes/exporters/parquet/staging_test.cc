// What an exporter stages, and what becomes of it.
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lake/write/signal_writer.h"
#include "lake/write/staging_area.h"
#include "testing/pipeline_harness.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::nodes::exporters::parquet {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

class ExporterStaging : public ::testing::Test {
 protected:
  void Open(const std::string& writer_options, const std::string& more = "") {
    harness_ = std::make_unique<testing::PipelineHarness>(
        fmt::format(R"(
nodes:
  source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
           out_ports: {{out: {{destinations: [sink]}}}}}}
  sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:parquet",
         config: {{base_uri: '{}', writer_options: {{{}}}{}}}}})",
                    base().string(), writer_options, more),
        std::vector<const engine::NodeDescriptor*>{&kDescriptor});
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->source().ends_by_itself = false;
    harness_->RunUntilIdle();
  }

  void RunUntil(const std::function<bool()>& is_so) {
    while (!is_so()) {
      harness_->RunUntilIdle();
      std::this_thread::yield();
    }
  }

  /// Sends a small batch and waits until it is acked, so long after.
  void SendAndWait(std::chrono::milliseconds time) {
    sent_.push_back(testing::RandomBatches(1, otap::Signal::kLogs, shape_, random_)[0]);
    harness_->source().Send(sent_.back());
    harness_->RunUntilIdle();
    harness_->Advance(time);
    RunUntil([this] { return harness_->source().outcomes.size() == sent_.size(); });
  }

  void End() {
    harness_->source().End();
    RunUntil([this] { return harness_->has_ended(); });
  }

  fs::path base() const { return folder_.path() / "lake"; }

  /// Files that readers see, by table.
  std::map<std::string, int> VisibleFiles() const {
    std::map<std::string, int> files;
    for (const auto& table : fs::directory_iterator(base())) {
      const std::string name = table.path().filename().string();
      for (auto entries = fs::recursive_directory_iterator(table.path());
           name != lake::kStagingFolder && entries != fs::recursive_directory_iterator();
           ++entries) {
        files[name] += entries->path().extension() == ".parquet" ? 1 : 0;
      }
    }
    std::erase_if(files, [](const auto& table) { return table.second == 0; });
    return files;
  }

  testing::TemporaryFolder folder_;
  testing::RandomEngine random_{51};
  testing::RandomBatchOptions shape_{.root_rows = 2};
  std::vector<otap::BatchPtr> sent_;
  std::unique_ptr<testing::PipelineHarness> harness_;
};

TEST_F(ExporterStaging, ADayMakesAFileATableForEachRoll) {
  Open("flush_when_older_than: 2s, roll_when_older_than: 10m");
  constexpr int kFlushesOfRoll = 10 * 60 / 2;
  for (int i = 0; i < kFlushesOfRoll - 1; ++i) {
    SendAndWait(std::chrono::seconds(2));
  }
  EXPECT_THAT(VisibleFiles(), IsEmpty());
  EXPECT_EQ(harness_->metric("sink", "df.exporter.parquet.staged.sets"), kFlushesOfRoll - 1);
  for (int roll = 1; roll <= 2; ++roll) {
    for (int i = 0; i < (roll == 1 ? 1 : kFlushesOfRoll); ++i) {
      SendAndWait(std::chrono::seconds(2));
    }
    RunUntil([&] {
      return harness_->metric("sink", "df.exporter.parquet.merged.sets") >=
             roll * kFlushesOfRoll - 1;
    });
    const auto files = VisibleFiles();
    EXPECT_EQ(files.size(), 4U);
    for (const auto& [table, count] : files) {
      EXPECT_EQ(count, roll) << table;
    }
  }
  End();
  EXPECT_EQ(harness_->metric("sink", "df.exporter.parquet.staged.sets"), 0);
  EXPECT_EQ(harness_->metric("sink", "df.exporter.parquet.merges.failed"), 0);
  testing::ExpectSameRecords(sent_, testing::ReplayTree(base(), {}));
  harness_.reset();
  EXPECT_FALSE(fs::exists(base() / lake::kStagingFolder));
}

TEST_F(ExporterStaging, HoursThatAreOverAreSealed) {
  const auto count_seals = [this] {
    int count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(base())) {
      count += entry.path().filename().string().starts_with("_sealed-") ? 1 : 0;
    }
    return count;
  };
  Open("flush_when_older_than: 2s", ", time_levels: hour, seal_after: 5m");
  SendAndWait(std::chrono::seconds(2));
  for (int minute = 0; minute < 10; ++minute) {  // files are newer than the simulated time
    harness_->Advance(std::chrono::minutes(1));
    harness_->RunUntilIdle();
  }
  EXPECT_EQ(count_seals(), 0);
  const auto sealed = [this] { return harness_->metric("sink", "df.exporter.parquet.seals"); };
  RunUntil([&] {
    harness_->Advance(std::chrono::hours(24 * 365));
    return sealed() > 0;
  });
  EXPECT_EQ(sealed(), count_seals());
  EXPECT_EQ(harness_->metric("sink", "df.exporter.parquet.seals.failed"), 0);
  End();
  testing::ExpectSameRecords(sent_, testing::ReplayTree(base(), {}));
}

TEST_F(ExporterStaging, SetsThatFillAFileAreMergedBeforeTheirTime) {
  Open("flush_when_older_than: 2s, roll_when_older_than: 24h, target_bytes_per_file: 64KiB");
  while (VisibleFiles().empty() && sent_.size() < 1'000) {
    SendAndWait(std::chrono::seconds(2));
  }
  EXPECT_LT(sent_.size(), 1'000U);
  EXPECT_GT(sent_.size(), 2U);
  End();
  testing::ExpectSameRecords(sent_, testing::ReplayTree(base(), {}));
}

TEST_F(ExporterStaging, TheNextStartShowsWhatAnEarlierOneHasStaged) {
  const auto store = lake::MakeLocalStore(base().string());
  sent_ = testing::RandomBatches(3, otap::Signal::kTraces, shape_, random_);
  {
    class Ignored final : public lake::WriteListener {
     public:
      void OnEncoded(std::span<const uint64_t>) override {}
      void OnClosed(std::span<const uint64_t>, lake::CloseReason, const lake::FileCounts&,
                    const Status& status) override {
        EXPECT_TRUE(status.ok()) << status;
      }
      void OnRefused(uint64_t, const Status& status) override { ADD_FAILURE() << status; }
    };
    Ignored ignored;
    lake::StagingArea area(base().string(), "an-earlier-start");
    lake::SignalWriter::Settings settings;
    settings.unix_millis = [] { return int64_t{1}; };
    lake::SignalWriter writer(store.get(), otap::Signal::kTraces, settings, &ignored, &area);
    for (size_t i = 0; i < sent_.size(); ++i) {
      writer.Add(sent_[i], i);
      writer.Close(lake::CloseReason::kAge);
    }
  }
  EXPECT_THAT(testing::ReplayTree(base(), {}).batches, IsEmpty());
  Open("");  // whether or not this one stages
  End();
  harness_.reset();
  testing::ExpectSameRecords(sent_, testing::ReplayTree(base(), {}));
  EXPECT_FALSE(fs::exists(base() / lake::kStagingFolder));
}

}  // namespace
}  // namespace df::nodes::exporters::parquet
