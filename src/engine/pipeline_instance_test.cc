#include "engine/pipeline_instance.h"

#include <stdexcept>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/pipeline_harness.h"

namespace df::engine {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kSource[] =
    "  source: {kind: receiver, plugin_urn: 'urn:otel:receiver:test_scripted', out_ports: {out: "
    "{destinations: [%], dispatch_strategy: $}}}\n";

std::string Document(std::string destinations, std::string strategy, const std::string& settings,
                     const std::string& nodes) {
  std::string source = kSource;
  source.replace(source.find('%'), 1, destinations);
  source.replace(source.find('$'), 1, strategy);
  return settings + "nodes:\n" + source + nodes;
}

std::string Sink(const std::string& name, const std::string& config = "{}") {
  return fmt::format(
      "  {}: {{kind: exporter, plugin_urn: 'urn:otel:exporter:test_corkable', config: {}}}\n", name,
      config);
}

std::string SourceAndSink(const std::string& settings = "", const std::string& config = "{}") {
  return Document("sink", "round_robin", settings, Sink("sink", config));
}

/// A one-to-one processor that refuses batches of 13 rows and throws at 14.
class Superstitious final : public OneToOneProcessor {
 public:
  Result<otap::BatchPtr> Transform(const otap::BatchPtr& batch) override {
    switch (batch->num_items()) {
      case 12:
        return otap::BatchPtr();
      case 13:
        return Status::Invalid("thirteen");
      case 14:
        throw std::runtime_error("fourteen");
      default:
        return batch;
    }
  }
};

const NodeDescriptor kSuperstitious = {
    .urn = "urn:otel:processor:test_superstitious",
    .kind = NodeKind::kProcessor,
    .summary = "for tests",
    .fields = [] { return std::vector<config::FieldDescription>(); },
    .parse = [](const config::Section&, const ValidateContext&) -> NodeConfigPtr {
      return std::make_shared<const NodeConfig>();
    },
    .make_processor = [](const NodeConfigPtr&, const NodeSharedPtr&, const InstanceInfo&)
        -> Result<std::unique_ptr<Processor>> { return std::make_unique<Superstitious>(); }};

std::string WithProcessor() {
  return Document("middle", "round_robin", "",
                  "  middle: {kind: processor, plugin_urn: 'urn:otel:processor:test_superstitious',"
                  " out_ports: {out: {destinations: [sink]}}}\n" +
                      Sink("sink"));
}

TEST(PipelineInstance, EndsByItselfWhenTheReceiverIsDone) {
  testing::PipelineHarness harness(SourceAndSink());
  ASSERT_TRUE(harness.status().ok()) << harness.status();
  harness.source().Send(testing::SmallLogs(5));
  harness.RunUntilIdle();
  EXPECT_FALSE(harness.has_ended());
  harness.source().End();
  harness.RunUntilIdle();
  ASSERT_TRUE(harness.has_ended());
  EXPECT_TRUE(harness.sink().has_finished);
  EXPECT_TRUE(harness.source().outcomes[0].is_ack);
  EXPECT_EQ(harness.metric("source", "acked"), 1);
  EXPECT_EQ(harness.metric("sink", "items_in"), 5);
  const InstanceResult result = harness.TakeResult();
  EXPECT_THAT(result.errors, IsEmpty());
  EXPECT_FALSE(result.was_forced);
}

TEST(PipelineInstance, ADrainStopsTheReceiverFirstAndDeliversWhatIsBuffered) {
  testing::PipelineHarness harness(SourceAndSink("settings: {default_pdata_channel_size: 3}\n"));
  ASSERT_TRUE(harness.status().ok()) << harness.status();
  harness.sink().is_corked = true;
  for (int i = 0; i < 10; ++i) {
    harness.source().Send(testing::SmallLogs(1));
  }
  harness.RunUntilIdle();
  // One in the exporter's hands, three in front of it, one in the receiver's hands.
  EXPECT_EQ(harness.source().num_sent, 5);
  harness.RequestDrain();
  harness.RunUntilIdle();
  EXPECT_FALSE(harness.source().has_ended) << "it still waits to hand over the fifth";
  EXPECT_FALSE(harness.has_ended());
  harness.sink().Uncork();
  harness.RunUntilIdle();
  ASSERT_TRUE(harness.has_ended());
  EXPECT_THAT(harness.sink().taken, SizeIs(5));
  EXPECT_EQ(harness.source().num_outcomes, 5);
  EXPECT_EQ(harness.source().num_sent, 5) << "nothing new after the drain was requested";
  EXPECT_TRUE(harness.sink().has_finished);
}

TEST(PipelineInstance, AtTheDeadlineTheRestIsNackedAndCounted) {
  testing::PipelineHarness harness(SourceAndSink(), {}, {.drain_timeout = seconds(10)});
  harness.sink().is_corked = true;
  for (int i = 0; i < 4; ++i) {
    harness.source().Send(testing::SmallLogs(1));
  }
  harness.RunUntilIdle();
  harness.RequestDrain();
  harness.Advance(seconds(9));
  EXPECT_FALSE(harness.has_ended());
  harness.Advance(seconds(1));
  ASSERT_TRUE(harness.has_ended());
  const InstanceResult result = harness.TakeResult();
  EXPECT_TRUE(result.was_forced);
  EXPECT_EQ(result.num_abandoned, 4);
  ASSERT_THAT(result.left, SizeIs(2));
  EXPECT_EQ(result.left[0].node, "source");
  EXPECT_EQ(result.left[0].num_unanswered, 4);
  EXPECT_EQ(result.left[1].node, "sink");
  EXPECT_EQ(result.left[1].num_batches, 3);
  EXPECT_EQ(result.left[1].num_items, 3);
  EXPECT_EQ(result.left[1].num_in_node, 1);
  EXPECT_EQ(harness.source().num_outcomes, 4);
  EXPECT_EQ(harness.source().outcomes[3].cause, NackCause::kNodeEnded);
}

TEST(PipelineInstance, ABatchThatIsLetFallIsNackedToItsSender) {
  testing::PipelineHarness harness(SourceAndSink());
  harness.sink().lets_fall = true;
  harness.source().Send(testing::SmallLogs(1));
  harness.RunUntilIdle();
  ASSERT_EQ(harness.source().num_outcomes, 1);
  EXPECT_EQ(harness.source().outcomes[0].reason, "dropped without outcome");
  EXPECT_EQ(harness.metric("source", "nacked", {{"reason", "dropped_without_outcome"}}), 1);
}

TEST(PipelineInstance, ANodeThatFailsIsNamedAndTheRestDrains) {
  testing::PipelineHarness harness(SourceAndSink("settings: {default_pdata_channel_size: 1}\n"));
  harness.sink().is_corked = true;
  for (int i = 0; i < 5; ++i) {
    harness.source().Send(testing::SmallLogs(1));
  }
  harness.RunUntilIdle();
  harness.sink().next_status = Status::IOError("disk full");
  harness.sink().Uncork();
  harness.RunUntilIdle();
  ASSERT_TRUE(harness.has_ended());
  EXPECT_EQ(harness.source().num_outcomes, harness.source().num_sent);
  EXPECT_EQ(harness.source().num_refused, 1);
  EXPECT_THAT(harness.TakeResult().errors, ElementsAre("node 'sink': disk full"));
}

TEST(PipelineInstance, WhatAFailedNodeHoldsHasItsOutcomeAtOnce) {
  testing::PipelineHarness harness(SourceAndSink());
  harness.sink().holds = true;
  harness.source().Send(testing::SmallLogs(1));
  harness.RunUntilIdle();
  ASSERT_EQ(harness.sink().held.size(), 1U);
  harness.sink().next_status = Status::IOError("disk full");
  harness.source().Send(testing::SmallLogs(1));
  harness.RunUntilIdle();
  ASSERT_TRUE(harness.has_ended());
  EXPECT_EQ(harness.source().num_outcomes, 2) << "others may wait for these outcomes to end";
  EXPECT_THAT(harness.TakeResult().reports.back().lines, ElementsAre("took 1 batches"));
}

TEST(PipelineInstance, ANodeThatDoesNotStartEndsThePipelineBeforeAnythingIsSent) {
  testing::PipelineHarness harness(SourceAndSink());
  harness.sink().start_status = Status::IOError("no such folder");
  harness.source().Send(testing::SmallLogs(1));
  harness.RunUntilIdle();
  ASSERT_TRUE(harness.has_ended());
  EXPECT_EQ(harness.source().num_sent, 0);
  EXPECT_THAT(harness.TakeResult().errors, ElementsAre("node 'sink': no such folder"));
}

TEST(PipelineInstance, AReceiverThatFailsLetsTheRestDrain) {
  testing::PipelineHarness harness(SourceAndSink());
  harness.source().Send(testing::SmallLogs(1));
  harness.source().end_status = Status::IOError("gone");
  harness.source().End();
  harness.RunUntilIdle();
  ASSERT_TRUE(harness.has_ended());
  EXPECT_THAT(harness.sink().taken, SizeIs(1));
  EXPECT_THAT(harness.TakeResult().errors, ElementsAre("node 'source': gone"));
}

TEST(PipelineInstance, ARefusedBatchIsNackedForGoodAndTheNextOnesPass) {
  testing::PipelineHarness harness(WithProcessor(), {&kSuperstitious});
  ASSERT_TRUE(harness.status().ok()) << harness.status();
  for (const int rows : {12, 13, 1}) {
    harness.source().Send(testing::SmallLogs(rows));
  }
  harness.source().End();
  harness.RunUntilIdle();
  ASSERT_TRUE(harness.has_ended());
  EXPECT_TRUE(harness.source().outcomes[0].is_ack) << "dropped on purpose";
  EXPECT_EQ(harness.source().outcomes[1].reason, "thirteen");
  EXPECT_TRUE(harness.source().outcomes[1].is_permanent);
  EXPECT_TRUE(harness.source().outcomes[2].is_ack);
  EXPECT_THAT(harness.sink().taken, SizeIs(1));
  EXPECT_THAT(harness.TakeResult().errors, IsEmpty());
}

TEST(PipelineInstance, AnExceptionOfANodeIsItsErrorOnly) {
  testing::PipelineHarness harness(WithProcessor(), {&kSuperstitious});
  harness.source().Send(testing::SmallLogs(14));
  harness.RunUntilIdle();
  ASSERT_TRUE(harness.has_ended());
  EXPECT_EQ(harness.source().num_outcomes, 1);
  EXPECT_THAT(harness.TakeResult().errors, ElementsAre("node 'middle': fourteen"));
}

TEST(PipelineInstance, BroadcastAcksWhenEveryDestinationHasAcked) {
  testing::PipelineHarness harness(Document("a, b", "broadcast", "", Sink("a") + Sink("b")));
  ASSERT_TRUE(harness.status().ok()) << harness.status();
  harness.sink("b").is_corked = true;
  harness.source().Send(testing::SmallLogs(1));
  harness.RunUntilIdle();
  EXPECT_THAT(harness.sink("a").taken, SizeIs(1));
  EXPECT_EQ(harness.source().num_outcomes, 0) << "b has not said anything";
  harness.sink("b").Uncork();
  harness.RunUntilIdle();
  ASSERT_EQ(harness.source().num_outcomes, 1);
  EXPECT_TRUE(harness.source().outcomes[0].is_ack);
}

TEST(PipelineInstance, BroadcastNacksWithEveryReason) {
  testing::PipelineHarness harness(
      Document("a, b, c", "broadcast", "", Sink("a") + Sink("b") + Sink("c")));
  harness.sink("a").next_outcomes = {Outcome::Nack("busy", false)};
  harness.sink("c").next_outcomes = {Outcome::Nack("too large", true)};
  harness.source().Send(testing::SmallLogs(1));
  harness.RunUntilIdle();
  ASSERT_EQ(harness.source().num_outcomes, 1);
  const Outcome& outcome = harness.source().outcomes[0];
  EXPECT_FALSE(outcome.is_ack);
  EXPECT_TRUE(outcome.is_permanent);
  EXPECT_THAT(outcome.reason,
              AllOf(HasSubstr("destination 'a': busy"), HasSubstr("destination 'c': too large")));
}

TEST(PipelineInstance, ABroadcastThatIsCutOffStillGivesOneOutcome) {
  testing::PipelineHarness harness(Document(
      "a, b", "broadcast", "settings: {default_pdata_channel_size: 1}\n", Sink("a") + Sink("b")));
  harness.sink("b").is_corked = true;
  for (int i = 0; i < 6; ++i) {
    harness.source().Send(testing::SmallLogs(1));
  }
  harness.RunUntilIdle();
  const int64_t num_sent = harness.source().num_sent;
  harness.Destroy();
  EXPECT_EQ(harness.source().num_outcomes, num_sent);
}

TEST(PipelineInstance, RoundRobinGivesEveryDestinationItsTurn) {
  testing::PipelineHarness harness(
      Document("a, b, c", "round_robin", "", Sink("a") + Sink("b") + Sink("c")));
  for (int i = 0; i < 9; ++i) {
    harness.source().Send(testing::SmallLogs(1));
  }
  harness.RunUntilIdle();
  for (const char* sink : {"a", "b", "c"}) {
    EXPECT_THAT(harness.sink(sink).taken, SizeIs(3));
  }
}

TEST(PipelineInstance, RandomReachesEveryDestinationAndLosesNothing) {
  testing::PipelineHarness harness(Document("a, b", "random", "", Sink("a") + Sink("b")));
  for (int i = 0; i < 200; ++i) {
    harness.source().Send(testing::SmallLogs(1));
  }
  harness.RunUntilIdle();
  EXPECT_GT(harness.sink("a").taken.size(), 50u);
  EXPECT_GT(harness.sink("b").taken.size(), 50u);
  EXPECT_EQ(harness.source().num_outcomes, 200);
}

TEST(PipelineInstance, LeastLoadedAvoidsADestinationThatIsStuck) {
  testing::PipelineHarness harness(Document("a, b", "least_loaded", "", Sink("a") + Sink("b")));
  harness.sink("a").is_corked = true;
  for (int i = 0; i < 50; ++i) {
    harness.source().Send(testing::SmallLogs(1));
    harness.RunUntilIdle();
  }
  EXPECT_GE(harness.sink("b").taken.size(), 47u);
}

TEST(PipelineInstance, ADestinationThatHasEndedIsPassedOver) {
  testing::PipelineHarness harness(Document("a, b", "round_robin", "", Sink("a") + Sink("b")));
  harness.RunUntilIdle();
  harness.sink("a").next_status = Status::IOError("disk full");
  for (int i = 0; i < 4; ++i) {
    harness.source().Send(testing::SmallLogs(1));
  }
  harness.RunUntilIdle();
  ASSERT_TRUE(harness.has_ended());
  EXPECT_EQ(harness.source().num_outcomes, harness.source().num_sent);
  EXPECT_TRUE(harness.sink("b").has_finished);
}

TEST(PipelineInstance, TimersTickWithTheClockAndStopAtTheEnd) {
  testing::PipelineHarness harness(SourceAndSink("", "{tick: 2s}"));
  ASSERT_TRUE(harness.status().ok()) << harness.status();
  harness.RunUntilIdle();
  EXPECT_EQ(harness.sink().num_timer_calls, 0);
  harness.Advance(seconds(2));
  harness.Advance(seconds(2));
  EXPECT_EQ(harness.sink().num_timer_calls, 2);
  harness.source().End();
  harness.RunUntilIdle();
  ASSERT_TRUE(harness.has_ended());
  harness.Advance(seconds(20));
  EXPECT_EQ(harness.sink().num_timer_calls, 2);
}

TEST(PipelineInstance, ATickThatFindsTheLastOneWaitingIsLeftOut) {
  testing::PipelineHarness harness(SourceAndSink("", "{tick: 1s}"));
  harness.sink().is_corked = true;
  harness.source().Send(testing::SmallLogs(1));
  harness.RunUntilIdle();
  for (int i = 0; i < 5; ++i) {
    harness.Advance(seconds(1));
  }
  harness.sink().Uncork();
  harness.RunUntilIdle();
  EXPECT_EQ(harness.sink().num_timer_calls, 1);
  EXPECT_EQ(harness.metric("sink", "df.node.timer.ticks_left_out"), 4);
}

TEST(PipelineInstance, ADiamondClosesItsEndAfterBothBranches) {
  testing::PipelineHarness harness(
      Document("left, right", "broadcast", "settings: {default_pdata_channel_size: 1}\n",
               "  left: {kind: processor, plugin_urn: 'urn:otel:processor:test_superstitious', "
               "out_ports: {out: {destinations: [sink]}}}\n"
               "  right: {kind: processor, plugin_urn: 'urn:otel:processor:test_superstitious', "
               "out_ports: {out: {destinations: [sink]}}}\n" +
                   Sink("sink")),
      {&kSuperstitious});
  ASSERT_TRUE(harness.status().ok()) << harness.status();
  // The branches still hold batches when the source ends: the sink has room for two of the four.
  harness.sink().is_corked = true;
  for (int i = 0; i < 2; ++i) {
    harness.source().Send(testing::SmallLogs(1));
  }
  harness.source().End();
  harness.RunUntilIdle();
  ASSERT_TRUE(harness.source().has_ended);
  harness.sink().Uncork();
  harness.RunUntilIdle();
  ASSERT_TRUE(harness.has_ended());
  EXPECT_THAT(harness.sink().taken, SizeIs(4));
  ASSERT_EQ(harness.source().num_outcomes, 2);
  for (const auto& [number, outcome] : harness.source().outcomes) {
    EXPECT_TRUE(outcome.is_ack) << number << ": " << outcome.reason;
  }
}

TEST(PipelineInstance, TheSmallestQueuesStillCarryEverything) {
  testing::PipelineHarness harness(
      SourceAndSink("settings: {default_pipeline_ctrl_msg_channel_size: 1, "
                    "default_node_ctrl_msg_channel_size: 1, default_pdata_channel_size: 1}\n",
                    "{tick: 1s}"));
  ASSERT_TRUE(harness.status().ok()) << harness.status();
  for (int i = 0; i < 50; ++i) {
    harness.source().Send(testing::SmallLogs(1));
  }
  harness.source().End();
  harness.RunUntilIdle();
  ASSERT_TRUE(harness.has_ended());
  EXPECT_THAT(harness.sink().taken, SizeIs(50));
}

}  // namespace
}  // namespace df::engine
