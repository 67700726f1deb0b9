#include "nodes/receivers/internal_telemetry/internal_telemetry_receiver.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/logging.h"
#include "otlp/encode.h"
#include "testing/pipeline_harness.h"

namespace df::nodes::receivers::internal_telemetry {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Document(const std::string& config) {
  return fmt::format(R"({{nodes: {{
      telemetry: {{kind: receiver, plugin_urn: "urn:otel:receiver:internal_telemetry",
                  out_ports: {{out: {{destinations: [sink]}}}}, config: {{{}}}}},
      sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}}}}}})",
                     config);
}

class InternalTelemetryReceiverTest : public ::testing::Test {
 protected:
  void Start(const std::string& config, engine::PipelineInstance::Options options = {}) {
    harness_ = std::make_unique<testing::PipelineHarness>(Document(config),
                                                          std::vector{&kDescriptor}, options);
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->RunUntilIdle();
  }

  void Drain() {
    harness_->RequestDrain();
    harness_->RunUntilIdle();
    ASSERT_TRUE(harness_->has_ended());
  }

  // The batches that have arrived since the last call, as JSON.
  std::vector<std::string> Arrived() {
    std::vector<std::string> texts;
    const auto& taken = harness_->sink().taken;
    for (; num_seen_ < taken.size(); ++num_seen_) {
      texts.push_back(otlp::EncodeJson(*taken[num_seen_]).ValueOrDie());
    }
    return texts;
  }

  std::vector<std::string> ReportLines() { return harness_->TakeResult().reports.at(0).lines; }

  static std::string Problem(const std::string& config) {
    return testing::PipelineHarness(Document(config), {&kDescriptor}).status().message();
  }

  std::unique_ptr<testing::PipelineHarness> harness_;
  size_t num_seen_ = 0;
};

TEST_F(InternalTelemetryReceiverTest, SendsASnapshotEveryIntervalAndALastOne) {
  Start("reporting_interval: 5s, signals: [metrics]");
  EXPECT_THAT(Arrived(), ElementsAre());
  harness_->Advance(seconds(5));
  EXPECT_EQ(Arrived().size(), 1U);
  harness_->Advance(seconds(4));
  EXPECT_EQ(Arrived().size(), 0U);
  harness_->Advance(seconds(1));
  EXPECT_THAT(Arrived(), ElementsAre(HasSubstr("resourceMetrics")));
  Drain();
  EXPECT_THAT(Arrived(), ElementsAre(HasSubstr(R"("stringValue":"df_engine")")));
}

TEST_F(InternalTelemetryReceiverTest, SendsEachLogRecordOnce) {
  Start("reporting_interval: 5s, signals: [logs], min_log_level: warning");
  harness_->Advance(seconds(5));
  Arrived();
  LogWarning("first {}", 1);
  LogInfo("not sent");
  harness_->Advance(seconds(5));
  EXPECT_THAT(Arrived(),
              ElementsAre(::testing::AllOf(HasSubstr("first 1"), Not(HasSubstr("not sent")))));
  harness_->Advance(seconds(5));
  EXPECT_THAT(Arrived(), ElementsAre());
  LogWarning("second");
  Drain();
  EXPECT_THAT(Arrived(),
              ElementsAre(::testing::AllOf(HasSubstr("second"), Not(HasSubstr("first")))));
}

TEST_F(InternalTelemetryReceiverTest, ManyLogRecordsWaitForTheNextInterval) {
  Start("reporting_interval: 1s, signals: [logs], max_log_records: 2");
  // The log may hold records from before.
  do {
    harness_->Advance(seconds(1));
  } while (!Arrived().empty());
  for (int i = 0; i < 5; ++i) {
    LogWarning("record {}", i);
  }
  for (const int expected : {2, 2, 1}) {
    harness_->Advance(seconds(1));
    ASSERT_EQ(Arrived().size(), 1U);
    EXPECT_EQ(harness_->sink().taken.back()->num_items(), expected);
  }
}

TEST_F(InternalTelemetryReceiverTest, RecordsThatTheLogNoLongerHasAreCounted) {
  Start("reporting_interval: 1s, signals: [logs]");
  do {
    harness_->Advance(seconds(1));
  } while (!Arrived().empty());
  LogRecord record;
  record.message = "flood";
  for (int i = 0; i < 2048 + 7; ++i) {
    ProcessLog().Write(record);
  }
  harness_->Advance(seconds(1));
  Drain();
  EXPECT_THAT(ReportLines(),
              ::testing::Contains("7 log records were not kept long enough to be sent"));
}

TEST_F(InternalTelemetryReceiverTest, OnlyTheFirstInstanceSends) {
  engine::PipelineInstance::Options options;
  options.instance_index = 1;
  options.num_instances = 2;
  Start("reporting_interval: 1s", options);
  harness_->Advance(seconds(3));
  Drain();
  EXPECT_THAT(Arrived(), ElementsAre());
}

TEST_F(InternalTelemetryReceiverTest, RefusedBatchesAreReported) {
  Start("reporting_interval: 1s, signals: [metrics]");
  harness_->sink().next_outcomes.push_back(engine::Outcome::Nack("no room", false));
  harness_->Advance(seconds(1));
  Drain();
  const auto report = harness_->TakeResult().reports.at(0);
  EXPECT_EQ(report.num_problems, 1);
  EXPECT_THAT(report.lines, ::testing::Contains("1 batches were refused; the first: no room"));
}

TEST_F(InternalTelemetryReceiverTest, WrongKeysAndValuesAreRefused) {
  EXPECT_EQ(Problem("signals: [logs], resource: {service.name: mine, host.name: h}"), "");
  EXPECT_THAT(Problem("reporting_interval: 1ms"), HasSubstr("reporting_interval"));
  EXPECT_THAT(Problem("signals: [traces]"), HasSubstr("metrics, logs"));
  EXPECT_THAT(Problem("min_log_level: trace"), HasSubstr("debug, info, warning, error"));
  EXPECT_THAT(Problem("max_log_records: 0"), HasSubstr("max_log_records"));
  EXPECT_THAT(Problem("interval: 1s"), HasSubstr("unknown key 'interval'"));
}

}  // namespace
}  // namespace df::nodes::receivers::internal_telemetry
