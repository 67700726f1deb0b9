#include "nodes/receivers/traffic_generator/traffic_generator.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otlp/encode.h"
#include "testing/pipeline_harness.h"

namespace df::nodes::receivers::traffic_generator {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using otap::Signal;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Document(const std::string& traffic, const std::string& more = "") {
  return fmt::format(R"({{nodes: {{
      traffic: {{kind: receiver, plugin_urn: "urn:otel:receiver:traffic_generator",
                out_ports: {{out: {{destinations: [sink]}}}},
                config: {{traffic_config: {{{}}}{}{}}}}},
      sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}}}}}})",
                     traffic, more.empty() ? "" : ", ", more);
}

class TrafficGeneratorTest : public ::testing::Test {
 protected:
  void Start(const std::string& traffic, const std::string& more = "",
             engine::PipelineInstance::Options options = {}) {
    harness_ = std::make_unique<testing::PipelineHarness>(Document(traffic, more),
                                                          std::vector{&kDescriptor}, options);
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->RunUntilIdle();
  }

  int64_t Count(Signal signal) {
    int64_t count = 0;
    for (const otap::BatchPtr& batch : harness_->sink().taken) {
      count += batch->signal() == signal ? batch->num_root_rows() : 0;
    }
    return count;
  }
  int64_t Count() {
    return Count(Signal::kLogs) + Count(Signal::kTraces) + Count(Signal::kMetrics);
  }

  static std::string Problem(const std::string& traffic, const std::string& more = "") {
    return testing::PipelineHarness(Document(traffic, more), {&kDescriptor}).status().message();
  }

  std::unique_ptr<testing::PipelineHarness> harness_;
};

TEST_F(TrafficGeneratorTest, SpreadsItsRateOverTheSecond) {
  Start("signals_per_second: 100, log_weight: 1");
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Count(), 10 * (i + 1));
    harness_->Advance(milliseconds(100));
  }
  for (int i = 0; i < 90; ++i) {
    harness_->Advance(milliseconds(100));
  }
  EXPECT_EQ(Count(), 1010);
}

TEST_F(TrafficGeneratorTest, SendsAllOfASecondAtItsBeginning) {
  Start("production_mode: open, signals_per_second: 2500, max_batch_size: 1000, log_weight: 1");
  EXPECT_EQ(Count(), 2500);
  harness_->Advance(milliseconds(999));
  EXPECT_EQ(Count(), 2500);
  harness_->Advance(milliseconds(1));
  EXPECT_EQ(Count(), 5000);
}

TEST_F(TrafficGeneratorTest, SharesBetweenSignalsByWeight) {
  Start(
      "signals_per_second: null, max_signal_count: 6000, max_batch_size: 100, log_weight: 3, "
      "trace_weight: 2, metric_weight: 1");
  EXPECT_TRUE(harness_->has_ended());
  EXPECT_EQ(Count(Signal::kLogs), 3000);
  EXPECT_EQ(Count(Signal::kTraces), 2000);
  EXPECT_EQ(Count(Signal::kMetrics), 1000);
}

TEST_F(TrafficGeneratorTest, EndsAfterExactlySoMany) {
  Start("signals_per_second: null, max_signal_count: 2345, log_weight: 1", "enable_ack_nack: true");
  ASSERT_TRUE(harness_->has_ended());
  EXPECT_EQ(Count(), 2345);
  EXPECT_THAT(harness_->TakeResult().reports.at(0).lines,
              ElementsAre("sent 2345 log records, 0 spans and 0 metrics",
                          "3 batches were acked, 0 nacked"));
}

TEST_F(TrafficGeneratorTest, CountsWhatIsRefused) {
  Start("max_signal_count: 1, log_weight: 1", "enable_ack_nack: true");
  EXPECT_EQ(harness_->TakeResult().reports.at(0).num_problems, 0);
  harness_ = std::make_unique<testing::PipelineHarness>(
      Document("max_signal_count: 1, log_weight: 1", "enable_ack_nack: true"),
      std::vector{&kDescriptor});
  harness_->sink().next_outcomes.push_back(engine::Outcome::Nack("no room", false));
  harness_->RunUntilIdle();
  const engine::NodeReport report = harness_->TakeResult().reports.at(0);
  EXPECT_EQ(report.num_problems, 1);
  EXPECT_THAT(report.lines.back(), HasSubstr("no room"));
}

TEST_F(TrafficGeneratorTest, GivesUpTheRateThatThePipelineDoesNotTake) {
  Start("signals_per_second: 10, log_weight: 1");
  harness_->sink().is_corked = true;
  for (int i = 0; i < 2000; ++i) {
    harness_->Advance(milliseconds(100));
  }
  harness_->sink().Uncork();
  harness_->RunUntilIdle();
  const int64_t before = Count();
  harness_->Advance(milliseconds(100));
  EXPECT_LE(Count() - before, 2) << "what was missed is not caught up with";
  EXPECT_GT(harness_->metric("traffic", "df.receiver.traffic_generator.behind"), 0);
}

TEST_F(TrafficGeneratorTest, SendsTheSameBatchesAgain) {
  Start("signals_per_second: null, max_signal_count: 2000, max_batch_size: 100, log_weight: 1",
        "generation_strategy: pre_generated");
  const auto& taken = harness_->sink().taken;
  ASSERT_EQ(taken.size(), 20U);
  EXPECT_EQ(taken[8], taken[0]);
  EXPECT_EQ(taken[19], taken[3]);
  EXPECT_NE(taken[1], taken[0]);
}

TEST_F(TrafficGeneratorTest, SharesItsWorkBetweenCores) {
  engine::PipelineInstance::Options options;
  options.num_instances = 3;
  int64_t total = 0;
  std::set<std::string> requests;
  for (options.instance_index = 0; options.instance_index < 3; ++options.instance_index) {
    Start("signals_per_second: null, max_signal_count: 100, log_weight: 1", "", options);
    total += Count();
    requests.insert(otlp::EncodeRequest(*harness_->sink().taken.at(0)).ValueOrDie());
  }
  EXPECT_EQ(total, 100);
  EXPECT_EQ(requests.size(), 3U) << "each core sends something else";
}

TEST_F(TrafficGeneratorTest, StopsWhenADrainIsRequested) {
  Start("log_weight: 1");
  EXPECT_FALSE(harness_->has_ended());
  harness_->RequestDrain();
  harness_->RunUntilIdle();
  EXPECT_TRUE(harness_->has_ended());
}

TEST_F(TrafficGeneratorTest, ChecksItsConfiguration) {
  EXPECT_THAT(Problem("signals_per_second: 1"), HasSubstr("found no weight"));
  EXPECT_THAT(Problem("log_weight: 1", "registry_path: x"), HasSubstr("registry"));
  EXPECT_THAT(Problem("log_weight: 1", "data_source: synthetic"), HasSubstr("made up"));
  EXPECT_THAT(Problem("log_weight: 1", "transport_headers: {}"), HasSubstr("no headers"));
  EXPECT_THAT(Problem("log_weight: -1"), HasSubstr("log_weight"));
}

}  // namespace
}  // namespace df::nodes::receivers::traffic_generator
