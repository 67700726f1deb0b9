#include "nodes/exporters/error/error_exporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/pipeline_harness.h"

namespace df::nodes::exporters::error {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Document(const std::string& config) {
  return fmt::format(R"({{nodes: {{
      source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
               out_ports: {{out: {{destinations: [sink]}}}}}},
      sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:error", config: {{{}}}}}}}}})",
                     config);
}

/// Returns the outcomes of `count` batches of one record.
std::map<uint64_t, engine::Outcome> OutcomesOf(const std::string& config, int count,
                                               engine::NodeReport* report = nullptr) {
  testing::PipelineHarness harness(Document(config), {&kDescriptor});
  EXPECT_TRUE(harness.status().ok()) << harness.status();
  for (int i = 0; i < count; ++i) {
    harness.source().Send(testing::SmallLogs(1));
  }
  harness.source().End();
  harness.RunUntilIdle();
  EXPECT_TRUE(harness.has_ended());
  EXPECT_EQ(harness.source().num_outcomes, count) << "not exactly one outcome a batch";
  auto outcomes = harness.source().outcomes;
  if (report != nullptr) {
    *report = harness.TakeResult().reports.back();
  }
  return outcomes;
}

int64_t NumRefused(const std::map<uint64_t, engine::Outcome>& outcomes) {
  return std::count_if(outcomes.begin(), outcomes.end(),
                       [](const auto& entry) { return !entry.second.is_ack; });
}

TEST(ErrorExporter, RefusesEveryBatchForNowUnlessToldOtherwise) {
  for (const auto& [number, outcome] : OutcomesOf("message: no room", 5)) {
    EXPECT_FALSE(outcome.is_ack);
    EXPECT_FALSE(outcome.is_permanent);
    EXPECT_EQ(outcome.reason, "no room");
    EXPECT_EQ(outcome.cause, engine::NackCause::kRefused);
  }
  EXPECT_TRUE(OutcomesOf("message: broken, permanent: true", 1).at(0).is_permanent);
}

TEST(ErrorExporter, RefusesAboutTheShareThatIsAskedFor) {
  EXPECT_EQ(NumRefused(OutcomesOf("message: m, ratio: 0", 200)), 0);
  EXPECT_EQ(NumRefused(OutcomesOf("message: m, ratio: 1", 200)), 200);
  const int64_t refused = NumRefused(OutcomesOf("message: m, ratio: 0.3", 1000));
  EXPECT_GT(refused, 240);
  EXPECT_LT(refused, 360);
}

TEST(ErrorExporter, TheSeedAloneSaysWhichOnes) {
  const auto numbers = [](const std::map<uint64_t, engine::Outcome>& outcomes) {
    std::vector<uint64_t> refused;
    for (const auto& [number, outcome] : outcomes) {
      if (!outcome.is_ack) {
        refused.push_back(number);
      }
    }
    return refused;
  };
  const auto first = numbers(OutcomesOf("message: m, ratio: 0.5, seed: 7", 100));
  EXPECT_EQ(first, numbers(OutcomesOf("message: m, ratio: 0.5, seed: 7", 100)));
  EXPECT_NE(first, numbers(OutcomesOf("message: m, ratio: 0.5, seed: 8", 100)));
}

TEST(ErrorExporter, TheReportSaysWhatWasTaken) {
  engine::NodeReport report;
  OutcomesOf("message: m, ratio: 0", 3, &report);
  EXPECT_THAT(report.lines,
              ElementsAre("refused 0 batches, took 3: 3 log records, 0 spans, 0 data points"));
  EXPECT_EQ(report.num_problems, 0);
}

TEST(ErrorExporter, BadKeysAreRefused) {
  const auto problem = [](const std::string& config) {
    return testing::PipelineHarness(Document(config), {&kDescriptor}).status().message();
  };
  EXPECT_THAT(problem(""), HasSubstr("key 'message' is missing"));
  EXPECT_THAT(problem("message: m, ratio: 1.5"), HasSubstr("expected a number 0..1"));
  EXPECT_THAT(problem("message: m, path: x"), HasSubstr("unknown key 'path'"));
}

}  // namespace
}  // namespace df::nodes::exporters::error
