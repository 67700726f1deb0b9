#include "nodes/processors/type_router/type_router_processor.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/pipeline_harness.h"
#include "testing/random_value.h"

namespace df::nodes::processors::type_router {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using engine::NackCause;
using engine::Outcome;
using otap::Signal;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kAllPorts[] =
    "out_ports: {logs: {destinations: [logs]}, metrics: {destinations: [metrics]}, "
    "traces: {destinations: [traces]}}, default_out_port: logs";

std::string Document(const std::string& ports, const std::string& config, int64_t channel_size) {
  return fmt::format(R"({{settings: {{default_pdata_channel_size: {}}}, nodes: {{
      source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
               out_ports: {{out: {{destinations: [router]}}}}}},
      router: {{kind: processor, plugin_urn: "urn:otap:processor:signal_type_router", {},
               config: {{{}}}}},
      logs: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}},
      metrics: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}},
      traces: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}}}}}})",
                     channel_size, ports, config);
}

otap::BatchPtr Empty(Signal signal) { return otap::BatchBuilder(signal).Build(); }

class TypeRouterTest : public ::testing::Test {
 protected:
  void Start(const std::string& config, const std::string& ports = kAllPorts,
             int64_t channel_size = 1, engine::PipelineInstance::Options options = {}) {
    harness_ = std::make_unique<testing::PipelineHarness>(
        Document(ports, config, channel_size), std::vector{&kDescriptor}, std::move(options));
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->source().ends_by_itself = false;
    harness_->RunUntilIdle();
  }

  void Send(Signal signal, int count = 1) {
    for (int i = 0; i < count; ++i) {
      harness_->source().Send(Empty(signal));
      harness_->RunUntilIdle();
    }
  }

  size_t num_taken(std::string_view sink) { return harness_->sink(sink).taken.size(); }
  testing::ReceiverScript& source() { return harness_->source(); }

  std::unique_ptr<testing::PipelineHarness> harness_;
};

TEST_F(TypeRouterTest, EverySignalGoesToItsPort) {
  Start("");
  Send(Signal::kLogs, 1);
  Send(Signal::kMetrics, 2);
  Send(Signal::kTraces, 3);
  EXPECT_EQ(num_taken("logs"), 1U);
  EXPECT_EQ(num_taken("metrics"), 2U);
  EXPECT_EQ(num_taken("traces"), 3U);
  EXPECT_EQ(source().num_outcomes, 6);
  EXPECT_EQ(harness_->metric("router", "df.type_router.batches.routed", {{"signal", "traces"}}), 3);
}

TEST_F(TypeRouterTest, OutcomesGoUpUnchanged) {
  Start("");
  harness_->sink("logs").next_outcomes.push_back(Outcome::Nack("broken", true));
  Send(Signal::kLogs);
  EXPECT_TRUE(source().outcomes.at(0).is_permanent);
  EXPECT_EQ(source().outcomes.at(0).reason, "broken");
}

TEST_F(TypeRouterTest, ASignalWithoutPortGoesToTheDefaultPort) {
  Start("",
        "out_ports: {logs: {destinations: [logs]}, rest: {destinations: [metrics, traces], "
        "dispatch_strategy: round_robin}}, "
        "default_out_port: rest");
  Send(Signal::kTraces);
  Send(Signal::kMetrics);
  Send(Signal::kLogs);
  EXPECT_EQ(num_taken("logs"), 1U);
  EXPECT_EQ(num_taken("metrics") + num_taken("traces"), 2U);
}

TEST_F(TypeRouterTest, ASignalDoesNotGoToThePortOfAnotherOne) {
  Start("",
        "out_ports: {logs: {destinations: [logs]}, metrics: {destinations: [metrics, traces], "
        "dispatch_strategy: round_robin}}, "
        "default_out_port: logs");
  Send(Signal::kTraces);
  EXPECT_EQ(num_taken("logs"), 0U);
  EXPECT_TRUE(source().outcomes.at(0).is_permanent);
  EXPECT_EQ(source().outcomes.at(0).reason, "no port for traces");
  EXPECT_EQ(harness_->metric("router", "df.type_router.batches.dropped", {{"signal", "traces"}}),
            1);
}

TEST_F(TypeRouterTest, AFullRouteRejectsForNowAndHoldsUpNoOther) {
  Start("");
  harness_->sink("logs").is_corked = true;
  Send(Signal::kLogs, 4);  // one in the exporter, one in its inbox
  Send(Signal::kTraces);
  EXPECT_EQ(num_taken("traces"), 1U);
  EXPECT_EQ(source().num_outcomes, 3);
  const Outcome& outcome = source().outcomes.at(2);
  EXPECT_EQ(outcome.cause, NackCause::kRouteFull);
  EXPECT_FALSE(outcome.is_permanent);
  EXPECT_EQ(harness_->metric("router", "df.type_router.batches.rejected",
                             {{"reason", "full"}, {"signal", "logs"}}),
            2);
}

TEST_F(TypeRouterTest, WithBackpressureAFullRouteParksOneAndOthersPass) {
  Start("admission_policy: {on_full: backpressure}");
  harness_->sink("logs").is_corked = true;
  Send(Signal::kLogs, 3);  // the third one is parked
  Send(Signal::kTraces, 5);
  EXPECT_EQ(num_taken("traces"), 5U) << "held up by the route of logs";
  Send(Signal::kLogs);  // waits in Process
  Send(Signal::kTraces, 1);
  EXPECT_EQ(num_taken("traces"), 5U) << "more than one was parked for a port";
  EXPECT_EQ(harness_->metric("router", "df.type_router.batches.parked", {{"signal", "logs"}}), 1);
  harness_->sink("logs").Uncork();
  harness_->RunUntilIdle();
  EXPECT_EQ(num_taken("logs"), 4U);
  EXPECT_EQ(num_taken("traces"), 6U);
  EXPECT_EQ(source().num_outcomes, 10);
}

TEST_F(TypeRouterTest, ParkedBatchesKeepTheirOrder) {
  Start("admission_policy: {on_full: backpressure}");
  harness_->sink("logs").is_corked = true;
  std::vector<otap::BatchPtr> sent;
  for (int i = 0; i < 6; ++i) {
    sent.push_back(Empty(Signal::kLogs));
    source().Send(sent.back());
  }
  harness_->RunUntilIdle();
  harness_->sink("logs").Uncork();
  harness_->RunUntilIdle();
  EXPECT_EQ(harness_->sink("logs").taken, sent);
}

TEST_F(TypeRouterTest, AnEndWaitsForWhatIsParked) {
  Start("admission_policy: {on_full: backpressure}");
  harness_->sink("logs").is_corked = true;
  Send(Signal::kLogs, 3);
  source().End();
  harness_->RunUntilIdle();
  EXPECT_FALSE(harness_->has_ended());
  harness_->sink("logs").Uncork();
  harness_->RunUntilIdle();
  EXPECT_TRUE(harness_->has_ended());
  EXPECT_EQ(source().num_outcomes, 3);
}

TEST_F(TypeRouterTest, ADestinationThatHasEndedRejects) {
  Start("");
  harness_->sink("logs").next_status = Status::Invalid("broken");
  harness_->source().Send(Empty(Signal::kLogs));
  harness_->source().Send(Empty(Signal::kLogs));
  harness_->source().Send(Empty(Signal::kLogs));
  harness_->RunUntilIdle();
  harness_->Destroy();
  EXPECT_EQ(source().num_outcomes, source().num_sent);
  EXPECT_EQ(source().outcomes.rbegin()->second.cause, NackCause::kRouteClosed);
}

TEST_F(TypeRouterTest, ThePolicyCanBeChangedWhileInputWaits) {
  Start("admission_policy: {on_full: backpressure}");
  harness_->sink("logs").is_corked = true;
  Send(Signal::kLogs, 4);
  EXPECT_EQ(source().num_outcomes, 0);
  ASSERT_TRUE(harness_->instance().ApplyConfig(1, std::make_shared<const TypeRouterConfig>()).ok());
  harness_->RunUntilIdle();
  EXPECT_EQ(source().num_outcomes, 1);
  EXPECT_EQ(source().outcomes.at(3).cause, NackCause::kRouteFull);
}

TEST_F(TypeRouterTest, TheReportSaysWhereBatchesWent) {
  Start("");
  Send(Signal::kLogs, 2);
  source().End();
  harness_->RunUntilIdle();
  EXPECT_THAT(harness_->TakeResult().reports.at(1).lines,
              ElementsAre("logs: 2 batches routed, 0 rejected, 0 without a port"));
}

TEST_F(TypeRouterTest, BadKeysAreRefused) {
  const auto problem = [](const std::string& config) {
    return testing::PipelineHarness(Document(kAllPorts, config, 1), {&kDescriptor})
        .status()
        .message();
  };
  EXPECT_THAT(problem("admission_policy: {on_full: wait}"),
              HasSubstr("one of reject_immediately, backpressure"));
  EXPECT_THAT(problem("on_full: backpressure"), HasSubstr("unknown key 'on_full'"));
}

/// Random signals into routes that are corked and opened at random.
void RunRandom(uint64_t seed) {
  testing::RandomEngine rng(seed);
  const bool waits = testing::Chance(rng, 0.5);
  testing::PipelineHarness harness(
      Document(kAllPorts, waits ? "admission_policy: {on_full: backpressure}" : "",
               testing::Between(rng, 1, 3)),
      {&kDescriptor}, engine::PipelineInstance::Options{.drain_timeout = seconds(5)});
  ASSERT_TRUE(harness.status().ok());
  harness.source().ends_by_itself = false;
  std::vector<Signal> signals;
  const auto sink = [&](size_t i) -> testing::ExporterScript& {
    return harness.sink(otap::Name(otap::kAllSignals[i]));
  };
  for (int step = 0; step < 200; ++step) {
    const size_t i = static_cast<size_t>(testing::Between(rng, 0, 2));
    if (testing::Chance(rng, 0.1)) {
      sink(i).is_corked = true;
    } else if (testing::Chance(rng, 0.1)) {
      sink(i).Uncork();
    } else {
      signals.push_back(otap::kAllSignals[i]);
      harness.source().Send(Empty(signals.back()));
    }
    if (testing::Chance(rng, 0.7)) {
      harness.RunUntilIdle();
    }
  }
  const bool is_forced = testing::Chance(rng, 0.3);
  for (size_t i = 0; i < 3 && !is_forced; ++i) {
    sink(i).Uncork();
  }
  harness.RequestDrain();
  harness.RunUntilIdle();
  harness.Advance(seconds(5));
  ASSERT_TRUE(harness.has_ended());
  harness.TakeResult();
  harness.Destroy();
  std::array<size_t, 3> num_acked{};
  for (const auto& [number, outcome] : harness.source().outcomes) {
    num_acked[static_cast<size_t>(signals[number])] += outcome.is_ack ? 1 : 0;
    if (!outcome.is_ack) {
      const bool is_of_the_end =
          outcome.cause == NackCause::kNodeEnded || outcome.cause == NackCause::kRouteClosed;
      EXPECT_TRUE((!waits && outcome.cause == NackCause::kRouteFull) ||
                  (is_forced && is_of_the_end))
          << outcome.reason;
    }
  }
  EXPECT_EQ(harness.source().num_outcomes, harness.source().num_sent);
  for (size_t i = 0; i < 3; ++i) {
    const auto index = static_cast<size_t>(otap::kAllSignals[i]);
    EXPECT_EQ(sink(i).taken.size(), num_acked[index]);
    for (const otap::BatchPtr& batch : sink(i).taken) {
      EXPECT_EQ(batch->signal(), otap::kAllSignals[i]);
    }
  }
}

TEST_F(TypeRouterTest, EveryBatchCompletesOnceAndIsTakenWhereItIsAcked) {
  const uint64_t first = std::random_device()();
  for (uint64_t seed = first; seed < first + 150 && !HasFailure(); ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    RunRandom(seed);
  }
}

}  // namespace
}  // namespace df::nodes::processors::type_router
