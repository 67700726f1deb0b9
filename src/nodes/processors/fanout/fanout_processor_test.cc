#include "nodes/processors/fanout/fanout_processor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/pipeline_harness.h"

namespace df::nodes::processors::fanout {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using engine::NackCause;
using engine::Outcome;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Document(const std::string& config, int64_t channel_size = 100) {
  return fmt::format(R"({{settings: {{default_pdata_channel_size: {}}}, nodes: {{
      source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
               out_ports: {{out: {{destinations: [fanout]}}}}}},
      fanout: {{kind: processor, plugin_urn: "urn:otel:processor:fanout",
               out_ports: {{a: {{destinations: [a]}}, b: {{destinations: [b]}},
                           c: {{destinations: [c]}}}}, default_out_port: a, config: {{{}}}}},
      a: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}},
      b: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}},
      c: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}}}}}})",
                     channel_size, config);
}

constexpr char kThree[] = "destinations: [{port: a, primary: true}, {port: b}, {port: c}]";
constexpr char kChain[] =
    "destinations: [{port: a, primary: true, timeout: 5s}, {port: b, fallback_for: a}, "
    "{port: c, fallback_for: b}]";

class FanoutProcessorTest : public ::testing::Test {
 protected:
  void Start(const std::string& config, int64_t channel_size = 100,
             engine::PipelineInstance::Options options = {}) {
    harness_ = std::make_unique<testing::PipelineHarness>(
        Document(config, channel_size), std::vector{&kDescriptor}, std::move(options));
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->source().ends_by_itself = false;
    for (const char* name : {"a", "b", "c"}) {
      sink(name).holds = true;
    }
    harness_->RunUntilIdle();
  }

  static std::string Problem(const std::string& config) {
    return testing::PipelineHarness(Document(config), {&kDescriptor}).status().message();
  }

  void Send(int count = 1) {
    for (int i = 0; i < count; ++i) {
      harness_->source().Send(testing::SmallLogs(1));
    }
    harness_->RunUntilIdle();
  }

  void Answer(const char* name, const Outcome& outcome, size_t index = 0) {
    ASSERT_LT(index, sink(name).held.size());
    sink(name).Answer(index, outcome);
    harness_->RunUntilIdle();
  }

  testing::ExporterScript& sink(const char* name) { return harness_->sink(name); }
  size_t num_held(const char* name) { return sink(name).held.size(); }
  testing::ReceiverScript& source() { return harness_->source(); }

  std::unique_ptr<testing::PipelineHarness> harness_;
};

TEST_F(FanoutProcessorTest, ParallelSendsTheSameBatchToAllAndTellsThePrimarysOutcomeAtOnce) {
  Start(kThree);
  Send();
  EXPECT_EQ(sink("a").taken, sink("b").taken);
  EXPECT_EQ(sink("a").taken, sink("c").taken);
  Answer("b", Outcome::Nack("no", true));
  EXPECT_EQ(source().num_outcomes, 0);
  Answer("a", Outcome::Ack());
  ASSERT_EQ(source().num_outcomes, 1);
  EXPECT_TRUE(source().outcomes.at(0).is_ack);
  Answer("c", Outcome::Ack());
  EXPECT_EQ(source().num_outcomes, 1);
}

TEST_F(FanoutProcessorTest, ThePrimarysNackKeepsItsCauseAndNamesIt) {
  Start(kThree);
  Send();
  Answer("a", Outcome::Nack("full", false, NackCause::kRouteFull));
  const Outcome& outcome = source().outcomes.at(0);
  EXPECT_EQ(outcome.cause, NackCause::kRouteFull);
  EXPECT_FALSE(outcome.is_permanent);
  EXPECT_EQ(outcome.reason, "destination 'a': full");
}

TEST_F(FanoutProcessorTest, AllWaitsForEveryOutcomeAndGivesEveryReason) {
  Start(std::string("await_ack: all, ") + kThree);
  Send(2);
  Answer("a", Outcome::Ack());
  Answer("b", Outcome::Ack());
  EXPECT_EQ(source().num_outcomes, 0);
  Answer("c", Outcome::Ack());
  EXPECT_TRUE(source().outcomes.at(0).is_ack);
  Answer("a", Outcome::Nack("x", false));
  Answer("b", Outcome::Nack("y", true));
  EXPECT_EQ(source().num_outcomes, 1);
  Answer("c", Outcome::Ack());
  EXPECT_EQ(source().outcomes.at(1).reason, "destination 'a': x; destination 'b': y");
  EXPECT_TRUE(source().outcomes.at(1).is_permanent);
}

TEST_F(FanoutProcessorTest, NoneAcksAtOnce) {
  Start(std::string("await_ack: none, ") + kThree);
  Send();
  EXPECT_TRUE(source().outcomes.at(0).is_ack);
  Answer("a", Outcome::Nack("x", false));
  EXPECT_EQ(source().num_outcomes, 1);
  EXPECT_EQ(harness_->metric("fanout", "df.fanout.deliveries.failed", {{"destination", "a"}}), 1);
}

TEST_F(FanoutProcessorTest, SequentialSendsToOneAfterTheOther) {
  Start(std::string("mode: sequential, await_ack: all, ") + kThree);
  Send();
  EXPECT_EQ(num_held("a"), 1U);
  EXPECT_EQ(num_held("b"), 0U);
  Answer("a", Outcome::Ack());
  EXPECT_EQ(num_held("b"), 1U);
  EXPECT_EQ(num_held("c"), 0U);
  Answer("b", Outcome::Ack());
  Answer("c", Outcome::Ack());
  EXPECT_TRUE(source().outcomes.at(0).is_ack);
}

TEST_F(FanoutProcessorTest, SequentialWithAllEndsAtTheFirstRefusal) {
  Start(std::string("mode: sequential, await_ack: all, ") + kThree);
  Send();
  Answer("a", Outcome::Nack("x", false));
  EXPECT_EQ(source().outcomes.at(0).reason, "destination 'a': x");
  EXPECT_EQ(sink("b").taken.size(), 0U);
}

TEST_F(FanoutProcessorTest, SequentialWithPrimaryGoesOnAfterARefusal) {
  Start("mode: sequential, destinations: [{port: b}, {port: a, primary: true}]");
  Send();
  Answer("b", Outcome::Nack("x", false));
  Answer("a", Outcome::Ack());
  EXPECT_TRUE(source().outcomes.at(0).is_ack);
}

TEST_F(FanoutProcessorTest, FallbacksAreTriedInTheirChainAndTheLastRefusalCounts) {
  Start(kChain);
  Send(2);
  EXPECT_EQ(num_held("b"), 0U);
  Answer("a", Outcome::Nack("x", true));
  EXPECT_EQ(num_held("b"), 1U);
  Answer("b", Outcome::Nack("y", false));
  EXPECT_EQ(source().num_outcomes, 0);
  Answer("c", Outcome::Ack());
  EXPECT_TRUE(source().outcomes.at(0).is_ack);
  Answer("a", Outcome::Nack("x", true));
  Answer("b", Outcome::Nack("y", false));
  Answer("c", Outcome::Nack("z", false));
  EXPECT_EQ(source().outcomes.at(1).reason, "destination 'c': z");
  EXPECT_EQ(harness_->metric("fanout", "df.fanout.deliveries.replaced", {{"destination", "a"}}), 2);
}

TEST_F(FanoutProcessorTest, AfterATimeoutTheFallbackIsTriedAndALateOutcomeIsNotHeard) {
  Start(kChain);
  Send();
  harness_->Advance(milliseconds(4900));
  EXPECT_EQ(num_held("b"), 0U);
  harness_->Advance(milliseconds(300));
  EXPECT_EQ(num_held("b"), 1U);
  EXPECT_EQ(harness_->metric("fanout", "df.fanout.deliveries.timed_out", {{"destination", "a"}}),
            1);
  Answer("a", Outcome::Ack());
  EXPECT_EQ(source().num_outcomes, 0);
  EXPECT_EQ(harness_->metric("fanout", "df.fanout.outcomes.late"), 1);
  Answer("b", Outcome::Ack());
  EXPECT_EQ(source().num_outcomes, 1);
}

TEST_F(FanoutProcessorTest, ATimeoutWithoutFallbackIsANackForNow) {
  Start("destinations: [{port: a, primary: true, timeout: 1s}, {port: b}]");
  Send();
  harness_->Advance(milliseconds(1200));
  EXPECT_EQ(source().outcomes.at(0).reason, "destination 'a': no outcome within 1s");
  EXPECT_FALSE(source().outcomes.at(0).is_permanent);
}

TEST_F(FanoutProcessorTest, AFullDestinationHoldsInputBackButNotTheOthers) {
  Start(kThree, 1);
  sink("a").holds = false;
  sink("a").is_corked = true;
  Send(5);  // one in the exporter, one in its inbox; the third waits for room
  EXPECT_EQ(num_held("b"), 3U);
  EXPECT_EQ(num_held("c"), 3U);
  sink("a").Uncork();
  harness_->RunUntilIdle();
  EXPECT_EQ(num_held("c"), 5U);
}

TEST_F(FanoutProcessorTest, WhenAsManyAreInFlightAsMayInputWaits) {
  Start(std::string("max_inflight: 2, ") + kThree);
  Send(4);
  EXPECT_EQ(num_held("a"), 2U);
  for (const char* name : {"a", "b", "c"}) {
    Answer(name, Outcome::Ack());
  }
  EXPECT_EQ(sink("a").taken.size(), 3U);
  EXPECT_EQ(harness_->metric("fanout", "df.fanout.batches.throttled"), 2);
}

TEST_F(FanoutProcessorTest, TimeoutsAreServedWhileInputWaits) {
  Start(
      "max_inflight: 1, destinations: [{port: a, primary: true, timeout: 1s}, "
      "{port: b, fallback_for: a}]");
  Send(2);
  harness_->Advance(milliseconds(1200));
  EXPECT_EQ(num_held("b"), 1U);
  Answer("b", Outcome::Ack());
  EXPECT_EQ(source().num_outcomes, 1);
  EXPECT_EQ(sink("a").taken.size(), 2U);
}

TEST_F(FanoutProcessorTest, BytesAreCountedOnceUntilTheLastDestinationHasEnded) {
  Start(kThree);
  const auto batch = testing::SmallLogs(100);
  source().Send(batch);
  harness_->RunUntilIdle();
  EXPECT_EQ(harness_->instance().memory().used_bytes(), batch->size_bytes());
  Answer("a", Outcome::Ack());
  Answer("b", Outcome::Ack());
  EXPECT_EQ(harness_->instance().memory().used_bytes(), batch->size_bytes());
  Answer("c", Outcome::Ack());
  EXPECT_EQ(harness_->instance().memory().used_bytes(), 0);
}

TEST_F(FanoutProcessorTest, AnEndWaitsForAllOutcomes) {
  Start(kThree);
  Send();
  source().End();
  harness_->RunUntilIdle();
  Answer("a", Outcome::Ack());
  Answer("b", Outcome::Ack());
  EXPECT_FALSE(harness_->has_ended());
  Answer("c", Outcome::Ack());
  EXPECT_TRUE(harness_->has_ended());
}

TEST_F(FanoutProcessorTest, AForcedEndNacksWhatIsLeft) {
  Start(std::string("await_ack: all, ") + kThree, 1, {.drain_timeout = seconds(2)});
  sink("a").is_corked = true;
  Send(5);
  harness_->RequestDrain();
  harness_->RunUntilIdle();
  harness_->Advance(seconds(2));
  ASSERT_TRUE(harness_->has_ended());
  harness_->TakeResult();
  harness_->Destroy();
  EXPECT_EQ(source().num_outcomes, source().num_sent);
  for (const auto& [number, outcome] : source().outcomes) {
    EXPECT_FALSE(outcome.is_ack);
  }
}

/// Returns the section as it is printed with its defaults.
std::string Printed(const std::string& text) {
  config::Problems problems("printed.yaml");
  const config::ValuePtr root = config::ParseDocument(text, &problems);
  const config::Section section(*root, "", &problems);
  kDescriptor.parse(section, {});
  const std::string printed = config::ToYaml(*config::EffectiveMap(kDescriptor.fields(), &section));
  EXPECT_THAT(problems.Lines(), ::testing::ElementsAre()) << text;
  return printed;
}

TEST_F(FanoutProcessorTest, APrintedConfigurationSaysTheSame) {
  for (const char* text : {kThree, kChain}) {
    const std::string printed = Printed(std::string("{") + text + "}");
    EXPECT_EQ(Printed(printed), printed) << text;
    EXPECT_THAT(printed, HasSubstr("max_inflight: 10000"));
  }
}

TEST_F(FanoutProcessorTest, BadKeysAreRefusedWithTheirPlace) {
  const auto with = [](const std::string& destinations) {
    return Problem("destinations: [" + destinations + "]");
  };
  EXPECT_THAT(Problem(""), HasSubstr("key 'destinations' is missing"));
  EXPECT_THAT(with(""), HasSubstr("found 0 destinations, expected 1..64"));
  EXPECT_THAT(with("{port: a}"), HasSubstr("found 0 destinations with 'primary: true'"));
  EXPECT_THAT(with("{port: a, primary: true}, {port: b, primary: true}"),
              HasSubstr("found 2 destinations with 'primary: true', expected one"));
  EXPECT_THAT(with("{port: a, primary: true}, {port: a}"),
              HasSubstr("destinations[1]: port 'a' is a destination already"));
  EXPECT_THAT(with("{port: a, primary: true}, {port: b, fallback_for: ab}"),
              HasSubstr("destinations[1]: fallback_for: 'ab' is not the port of a destination"));
  EXPECT_THAT(with("{port: a, primary: true}, {port: b, fallback_for: c}, "
                   "{port: c, fallback_for: b}"),
              HasSubstr("the fallbacks from port 'b' lead back to itself"));
  EXPECT_THAT(with("{port: a, primary: true}, {port: b, fallback_for: a}, "
                   "{port: c, fallback_for: a}"),
              HasSubstr("port 'a' has a fallback already, 'b'"));
  EXPECT_THAT(with("{port: a, primary: true, fallback_for: b}, {port: b}"),
              HasSubstr("the primary destination cannot be a fallback"));
  EXPECT_THAT(with("{primary: true}"), HasSubstr("key 'port' is missing"));
  EXPECT_THAT(Problem(std::string("mode: both, ") + kThree), HasSubstr("parallel, sequential"));
}

TEST_F(FanoutProcessorTest, ADestinationWithoutOutPortStopsTheStart) {
  testing::PipelineHarness harness(Document("destinations: [{port: d, primary: true}]"),
                                   {&kDescriptor});
  ASSERT_TRUE(harness.status().ok());
  harness.RunUntilIdle();
  EXPECT_THAT(harness.TakeResult().errors, ElementsAre(HasSubstr("no out port 'd'")));
}

}  // namespace
}  // namespace df::nodes::processors::fanout
