#include "nodes/processors/debug/debug_processor.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "otlp/encode.h"
#include "testing/pipeline_harness.h"
#include "testing/random_batch.h"

namespace df::nodes::processors::debug {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Document(const std::string& config) {
  return fmt::format(R"({{nodes: {{
      source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
               out_ports: {{out: {{destinations: [debug]}}}}}},
      debug: {{kind: processor, plugin_urn: "urn:otel:debug:processor",
              out_ports: {{out: {{destinations: [sink]}}}}, config: {{{}}}}},
      sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}}}}}})",
                     config);
}

class DebugProcessorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() /
                 fmt::format("debug_processor_{}_{}", getpid(),
                             ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string Path() const { return (directory_ / "a" / "out.txt").string(); }

  void Start(const std::string& config) {
    harness_ = std::make_unique<testing::PipelineHarness>(
        Document(config + (config.empty() ? "" : ", ") + "output: '" + Path() + "'"),
        std::vector{&kDescriptor});
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
  }

  void Finish() {
    harness_->source().End();
    harness_->RunUntilIdle();
    ASSERT_TRUE(harness_->has_ended());
  }

  std::string Printed() const {
    std::ifstream file(Path(), std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  static std::string Problem(const std::string& config) {
    return testing::PipelineHarness(Document(config), {&kDescriptor}).status().message();
  }

  std::filesystem::path directory_;
  std::unique_ptr<testing::PipelineHarness> harness_;
};

TEST_F(DebugProcessorTest, SendsBatchesOnUnchangedWithTheirTokens) {
  Start("verbosity: basic");
  const auto first = testing::SmallLogs(3);
  const auto second = testing::SmallLogs(4);
  harness_->sink().next_outcomes.push_back(engine::Outcome::Ack());
  harness_->sink().next_outcomes.push_back(engine::Outcome::Nack("no room", false));
  harness_->source().Send(first);
  harness_->source().Send(second);
  Finish();
  EXPECT_THAT(harness_->sink().taken, ElementsAre(first, second));
  EXPECT_TRUE(harness_->source().outcomes.at(0).is_ack);
  EXPECT_EQ(harness_->source().outcomes.at(1).reason, "no room");
}

TEST_F(DebugProcessorTest, BasicPrintsALineOfCountsForEachBatch) {
  Start("verbosity: basic");
  harness_->source().Send(testing::SmallLogs(3));
  harness_->source().Send(testing::SmallLogs(4));
  Finish();
  EXPECT_EQ(Printed(), "logs: 3 log records\nlogs: 4 log records\n");
}

TEST_F(DebugProcessorTest, CountsNameEverythingThatABatchHolds) {
  testing::RandomEngine rng(5);
  for (const otap::Signal signal : otap::kAllSignals) {
    const auto batch = testing::RandomBatch(signal, {}, rng);
    BatchCounts counts;
    counts.Add(*batch);
    int64_t rows = 0;
    for (const auto& table : otap::AllTables()) {
      rows += batch->table(table.kind) == nullptr ? 0 : batch->table(table.kind)->num_rows();
    }
    int64_t described = 0;
    std::istringstream text(counts.Describe(signal));
    for (std::string word; text >> word;) {
      if (std::isdigit(static_cast<unsigned char>(word[0])) != 0) {
        described += std::stoll(word);
      }
    }
    EXPECT_EQ(described, rows) << counts.Describe(signal);
  }
}

TEST_F(DebugProcessorTest, NormalAndDetailedPrintTheRecordsBehindTheCounts) {
  testing::RandomEngine rng(6);
  const auto batch = testing::RandomBatch(otap::Signal::kTraces, {}, rng);
  for (const auto& [word, layout] : {std::pair("normal", otlp::TextLayout::kLines),
                                     std::pair("detailed", otlp::TextLayout::kDetailed)}) {
    Start(fmt::format("verbosity: {}", word));
    harness_->source().Send(batch);
    Finish();
    const std::string text = Printed();
    EXPECT_EQ(text.substr(text.find('\n') + 1), otlp::EncodeText(*batch, layout).ValueOrDie());
    EXPECT_THAT(text, ::testing::StartsWith("traces: 40 spans, "));
  }
}

TEST_F(DebugProcessorTest, SignalPrintsSumsEveryIntervalAndAtTheEnd) {
  Start("mode: signal, interval: 5s");
  harness_->source().Send(testing::SmallLogs(3));
  harness_->RunUntilIdle();
  EXPECT_EQ(Printed(), "");
  harness_->Advance(std::chrono::seconds(5));
  EXPECT_EQ(Printed(), "logs: 1 batches, 3 log records\n");
  harness_->Advance(std::chrono::seconds(5));
  EXPECT_EQ(Printed(), "logs: 1 batches, 3 log records\n") << "printed again without news";
  harness_->source().Send(testing::SmallLogs(4));
  Finish();
  EXPECT_EQ(Printed(), "logs: 1 batches, 3 log records\nlogs: 2 batches, 7 log records\n");
}

TEST_F(DebugProcessorTest, SignalsThatAreNotNamedAreCountedOnly) {
  Start("verbosity: basic, signals: [traces]");
  harness_->source().Send(testing::SmallLogs(3));
  Finish();
  EXPECT_EQ(Printed(), "");
  EXPECT_THAT(harness_->TakeResult().reports.at(1).lines,
              ElementsAre("saw logs: 1 batches, 3 log records"));
}

TEST_F(DebugProcessorTest, TheReportSumsUpEachSignal) {
  Start("verbosity: basic");
  testing::RandomEngine rng(9);
  const auto metrics = testing::RandomBatch(otap::Signal::kMetrics, {}, rng);
  harness_->source().Send(testing::SmallLogs(3));
  harness_->source().Send(metrics);
  harness_->source().Send(testing::SmallLogs(5));
  Finish();
  const auto lines = harness_->TakeResult().reports.at(1).lines;
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0], "saw logs: 2 batches, 8 log records");
  EXPECT_THAT(lines[1], HasSubstr(fmt::format("saw metrics: 1 batches, 40 metrics, {} data points",
                                              metrics->num_items())));
}

TEST_F(DebugProcessorTest, TheReportOfSeveralCoresIsTheirSum) {
  DebugShared shared(DebugOutput::Open("console").ValueOrDie());
  for (const int rows : {3, 4}) {
    DebugTotals totals;
    totals.counts[0].Add(*testing::SmallLogs(rows));
    totals.not_printed = 1;
    totals.first_error = fmt::format("error {}", rows);
    shared.Add(totals);
  }
  const engine::NodeReport report = kDescriptor.merge_reports(&shared, {});
  EXPECT_THAT(report.lines, ElementsAre("saw logs: 2 batches, 7 log records",
                                        "could not print 2 times; the first: error 3"));
  EXPECT_EQ(report.num_problems, 2);
}

TEST_F(DebugProcessorTest, WhatCannotBePrintedIsSentOnAndCounted) {
  testing::PipelineHarness harness(Document("verbosity: basic, output: /dev/full"), {&kDescriptor});
  ASSERT_TRUE(harness.status().ok());
  harness.source().Send(testing::SmallLogs(3));
  harness.source().End();
  harness.RunUntilIdle();
  EXPECT_EQ(harness.sink().taken.size(), 1U);
  const auto report = harness.TakeResult().reports.at(1);
  EXPECT_EQ(report.num_problems, 1);
  EXPECT_THAT(report.lines.back(),
              HasSubstr("could not print 1 times; the first: cannot print to"));
}

TEST_F(DebugProcessorTest, ABatchThatHasNoTextIsSentOnAndCounted) {
  Start("verbosity: normal");
  harness_->source().Send(
      otap::BatchBuilder(otap::Signal::kLogs, otap::IdEncoding::kTransport).Build());
  Finish();
  EXPECT_EQ(harness_->sink().taken.size(), 1U);
  EXPECT_EQ(harness_->TakeResult().reports.at(1).num_problems, 1);
}

TEST_F(DebugProcessorTest, WordsThatAreNotKnownAreRefusedWithTheAllowedOnes) {
  EXPECT_THAT(Problem("verbosity: summary"), HasSubstr("one of basic, normal, detailed"));
  EXPECT_THAT(Problem("level: info"),
              ::testing::AllOf(HasSubstr("unknown key 'level'"), HasSubstr("verbosity")));
  EXPECT_THAT(Problem("mode: all"), HasSubstr("one of batch, signal"));
  EXPECT_THAT(Problem("signals: [spans]"), HasSubstr("logs, traces, metrics"));
  EXPECT_EQ(Problem("verbosity: basic, mode: batch, signals: [logs]"), "");
}

TEST_F(DebugProcessorTest, AnOutputThatCannotBeOpenedIsNamed) {
  EXPECT_THAT(Problem("output: /dev/null/x"), HasSubstr("cannot make the folder /dev/null"));
}

}  // namespace
}  // namespace df::nodes::processors::debug
