#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/account.h"
#include "nodes/receivers/otlp_file/file_sums.h"
#include "testing/pipeline_harness.h"

namespace df::nodes::receivers::otlp_file {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using otap::Signal;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string LogsLine(const std::string& body) {
  return R"({"resourceLogs":[{"resource":{},"scopeLogs":[{"logRecords":[)"
         R"({"timeUnixNano":"7","body":{"stringValue":")" +
         body + R"("}}]}]}]})" + "\n";
}

std::string SpansLine() {
  return R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a"},{"name":"b"}]}]}]})"
         "\n";
}

class OtlpFileReceiverTest : public ::testing::Test {
 protected:
  OtlpFileReceiverTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "otlp-file-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~OtlpFileReceiverTest() override {
    harness_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }

  static std::string Document(const std::string& config) {
    return fmt::format(R"({{nodes: {{
      files: {{kind: receiver, plugin_urn: "urn:otel:receiver:otlp_file",
               out_ports: {{out: {{destinations: [sink]}}}}, config: {{{}}}}},
      sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}}}}}})",
                       config);
  }

  /// Runs until everything is read; the sink takes all.
  void Run(const std::string& config) {
    Start(config);
    while (!harness_->has_ended()) {
      harness_->RunUntilIdle();
    }
  }
  void Start(const std::string& config) {
    harness_ =
        std::make_unique<testing::PipelineHarness>(Document(config), std::vector{&kDescriptor});
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->RunUntilIdle();
  }
  std::string Path(const std::string& name = "") const {
    return fmt::format("path: '{}'", (folder_ / name).string());
  }

  int64_t Count(Signal signal) const {
    int64_t count = 0;
    for (const otap::BatchPtr& batch : harness_->sink().taken) {
      count += batch->signal() == signal ? batch->num_items() : 0;
    }
    return count;
  }

  std::filesystem::path folder_;
  std::unique_ptr<testing::PipelineHarness> harness_;
};

TEST_F(OtlpFileReceiverTest, SendsLinesOfAllSignals) {
  Write("a.jsonl", LogsLine("x") + SpansLine() + LogsLine("y"));
  Write("b.ndjson", LogsLine("z"));
  Run(Path());
  EXPECT_EQ(Count(Signal::kLogs), 3);
  EXPECT_EQ(Count(Signal::kTraces), 2);
}

TEST_F(OtlpFileReceiverTest, SendsTheSignalsThatAreWanted) {
  Write("a.jsonl", LogsLine("x") + SpansLine());
  Run(Path() + ", signal_types: [traces]");
  EXPECT_EQ(Count(Signal::kLogs), 0);
  EXPECT_EQ(Count(Signal::kTraces), 2);
}

TEST_F(OtlpFileReceiverTest, WhatCannotBeReadIsNamedAndCountedAndTheRestGoesOn) {
  Write("a.jsonl", LogsLine("x") + "{\"resourceLogs\":[{]}\n" + "[]\n" + LogsLine("y"));
  Write("logs.binpb", std::string("\0\0\0\1", 4));
  Run(Path());
  EXPECT_EQ(Count(Signal::kLogs), 2);
  EXPECT_EQ(harness_->metric("files", "df.receiver.otlp_file.unreadable"), 3);
}

TEST_F(OtlpFileReceiverTest, APlaceWithoutFilesOrWithUnknownOnesIsRefusedAtOnce) {
  EXPECT_THAT(
      testing::PipelineHarness(Document(Path("none.jsonl")), {&kDescriptor}).status().message(),
      HasSubstr("found no file at"));
  Write("data.binpb", "");
  EXPECT_THAT(testing::PipelineHarness(Document(Path()), {&kDescriptor}).status().message(),
              HasSubstr("its name does not say of what"));
  Run(Path() + ", signal_types: [logs]");
}

TEST_F(OtlpFileReceiverTest, ADrainEndsAFileThatIsHeldUp) {
  std::string text;
  for (int i = 0; i < 2'000; ++i) {
    text += LogsLine(std::to_string(i));
  }
  Write("a.jsonl", text);
  harness_ =
      std::make_unique<testing::PipelineHarness>(Document(Path()), std::vector{&kDescriptor});
  ASSERT_TRUE(harness_->status().ok()) << harness_->status();
  harness_->sink().is_corked = true;
  while (harness_->metric("files", "items_out") == 0) {
    harness_->RunUntilIdle();
  }
  harness_->RequestDrain();
  harness_->sink().Uncork();
  while (!harness_->has_ended()) {
    harness_->RunUntilIdle();
  }
  EXPECT_LT(Count(Signal::kLogs), 2'000);
}

class FileSumsTest : public OtlpFileReceiverTest {
 protected:
  std::shared_ptr<FileSums> Make() const {
    OtlpFileConfig config;
    config.path = folder_.string();
    return FileSums::Make(config).ValueOrDie();
  }
  static engine::NodeReport Describe(const FileSums& sums) {
    engine::NodeReport report = sums.Describe();
    EXPECT_THAT(engine::BrokenSums(*report.source), IsEmpty());
    return report;
  }
};

TEST_F(FileSumsTest, HoldHoweverABatchEnds) {
  Write("a.jsonl", "");
  Write("b.jsonl", "");
  const auto sums = Make();
  const OpenFilePtr file = sums->Take();
  // Metrics without data points have records and no items.
  for (const int64_t num_items : {0, 5}) {
    const FileBatch batch{.file = file,
                          .signal = Signal::kMetrics,
                          .num_records = num_items == 0 ? 2 : 3,
                          .num_items = num_items};
    sums->OnRead(batch);
    Describe(*sums);
    sums->OnSent(batch);
    Describe(*sums);
    sums->OnOutcome(batch, /*is_refused=*/num_items == 0, 0, 0);
  }
  sums->OnEnd(file);
  const engine::NodeReport report = Describe(*sums);
  const auto& metrics = report.source->signals[static_cast<size_t>(Signal::kMetrics)];
  EXPECT_EQ(metrics.delivered, 3);
  EXPECT_EQ(metrics.refused, 2);
  EXPECT_EQ(metrics.items_delivered, 5);
  EXPECT_FALSE(report.source->has_listed_all);  // the other file was not taken
  ASSERT_EQ(report.source->unfinished.size(), 2U);
  EXPECT_EQ(report.source->unfinished[0].reason, "refused");
  EXPECT_EQ(report.source->unfinished[1].reason, "not_read");
  EXPECT_THAT(report.lines, Contains("stopped before the end of 1 files"));
  EXPECT_EQ(report.num_problems, 1);
}

TEST_F(FileSumsTest, AFileIsWholeWhenAllOfItWasReadAndTaken) {
  Write("a.jsonl", "");
  const auto sums = Make();
  const OpenFilePtr file = sums->Take();
  EXPECT_EQ(sums->Take(), nullptr);
  const FileBatch batch{.file = file, .signal = Signal::kLogs, .num_records = 1, .num_items = 1};
  sums->OnRead(batch);
  sums->OnSent(batch);
  sums->OnEnd(file);
  EXPECT_EQ(Describe(*sums).num_problems, 1);  // in flight
  sums->OnOutcome(batch, false, 0, 0);
  EXPECT_EQ(Describe(*sums).num_problems, 0);
  EXPECT_EQ(Describe(*sums).source->num_files_delivered, 1);
  sums->OnProblem(file, "line 3: no");
  EXPECT_EQ(Describe(*sums).num_problems, 1);
  EXPECT_THAT(Describe(*sums).lines, Contains(HasSubstr("a.jsonl: line 3: no")));
}

TEST_F(FileSumsTest, OfManyProblemsTheFirstAreNamedAndAllCounted) {
  Write("a.jsonl", "");
  const auto sums = Make();
  const OpenFilePtr file = sums->Take();
  int64_t num_named = 0;
  for (int i = 0; i < 5'000; ++i) {
    num_named += sums->OnProblem(file, fmt::format("line {}", i)) ? 1 : 0;
  }
  sums->OnEnd(file);
  const engine::NodeReport report = Describe(*sums);
  EXPECT_EQ(num_named, 100);
  EXPECT_EQ(report.source->problems.size(), 100U);
  EXPECT_EQ(report.num_problems, 5'000);
  EXPECT_THAT(report.lines, Contains("not read: 4900 more requests"));
}

}  // namespace
}  // namespace df::nodes::receivers::otlp_file
