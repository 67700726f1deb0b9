#include "nodes/processors/retry/retry_processor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/pipeline_harness.h"

namespace df::nodes::processors::retry {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using engine::NackCause;
using engine::Outcome;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr char kPlain[] = "initial_interval: 10s, max_interval: 40s, multiplier: 2";

class RetryProcessorTest : public ::testing::Test {
 protected:
  static std::string Document(const std::string& config) {
    return fmt::format(R"({{nodes: {{
        source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
                 out_ports: {{out: {{destinations: [retry]}}}}}},
        retry: {{kind: processor, plugin_urn: "urn:otap:processor:retry_processor",
                out_ports: {{out: {{destinations: [sink]}}}}, config: {{{}}}}},
        sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}}}}}})",
                       config);
  }

  static std::string Problem(const std::string& config) {
    return testing::PipelineHarness(Document(config), {&kDescriptor}).status().message();
  }

  void Start(const std::string& config, engine::PipelineInstance::Options options = {}) {
    harness_ = std::make_unique<testing::PipelineHarness>(
        Document(config), std::vector{&kDescriptor}, std::move(options));
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->source().ends_by_itself = false;
    harness_->RunUntilIdle();
  }

  void Send(int count = 1) {
    for (int i = 0; i < count; ++i) {
      harness_->source().Send(testing::SmallLogs(1));
    }
    harness_->RunUntilIdle();
  }

  /// The next `count` attempts get this outcome.
  void Next(const Outcome& outcome, int count = 1) {
    for (int i = 0; i < count; ++i) {
      harness_->sink().next_outcomes.push_back(outcome);
    }
  }

  size_t num_attempts() { return harness_->sink().taken.size(); }
  testing::ReceiverScript& source() { return harness_->source(); }

  std::unique_ptr<testing::PipelineHarness> harness_;
};

TEST_F(RetryProcessorTest, AnAckGoesUpAtOnce) {
  Start(kPlain);
  Send();
  EXPECT_EQ(num_attempts(), 1U);
  ASSERT_EQ(source().num_outcomes, 1);
  EXPECT_TRUE(source().outcomes.at(0).is_ack);
  EXPECT_EQ(harness_->metric("retry", "df.retry.scheduled"), 0);
}

/// A nack for now of the batch `whole`, of which 6 of 10 items are delivered and 1 is refused.
Outcome PartlyDelivered(const otap::BatchPtr& whole) {
  Outcome outcome = Outcome::Nack("later", false);
  auto partial = std::make_shared<engine::PartialDelivery>();
  partial->num_delivered = 6;
  partial->num_refused = 1;
  partial->refusal = "too large";
  partial->rest = testing::SmallLogs(3);
  partial->whole = whole.get();
  outcome.partial = std::move(partial);
  return outcome;
}

TEST_F(RetryProcessorTest, OnlyWhatIsNotDeliveredIsSentAgain) {
  Start(kPlain);
  const otap::BatchPtr batch = testing::SmallLogs(10);
  Next(PartlyDelivered(batch));
  source().Send(batch);
  harness_->RunUntilIdle();
  harness_->Advance(seconds(10));
  ASSERT_EQ(num_attempts(), 2U);
  EXPECT_EQ(harness_->sink().taken[1]->num_items(), 3);
  const Outcome& outcome = source().outcomes.at(0);
  EXPECT_TRUE(outcome.is_ack);
  ASSERT_NE(outcome.partial, nullptr);
  EXPECT_EQ(outcome.partial->num_delivered, 9);
  EXPECT_EQ(outcome.partial->num_refused, 1);
  EXPECT_EQ(outcome.partial->refusal, "too large");
}

TEST_F(RetryProcessorTest, ARestOfAnotherBatchIsNotSent) {
  Start(kPlain);
  Next(PartlyDelivered(testing::SmallLogs(10)));  // as a node in between has made it
  source().Send(testing::SmallLogs(10));
  harness_->RunUntilIdle();
  harness_->Advance(seconds(10));
  ASSERT_EQ(num_attempts(), 2U);
  EXPECT_EQ(harness_->sink().taken[1]->num_items(), 10);
  EXPECT_EQ(source().outcomes.at(0).partial, nullptr);
}

TEST_F(RetryProcessorTest, ARestThatIsGivenUpSaysWhatWasDelivered) {
  Start("initial_interval: 10s, max_retries: 1");
  const otap::BatchPtr batch = testing::SmallLogs(10);
  Next(PartlyDelivered(batch));
  Next(Outcome::Nack("still later", false));
  source().Send(batch);
  harness_->RunUntilIdle();
  harness_->Advance(seconds(10));
  const Outcome& outcome = source().outcomes.at(0);
  EXPECT_FALSE(outcome.is_ack);
  EXPECT_THAT(outcome.reason, HasSubstr("still later"));
  EXPECT_THAT(outcome.reason, HasSubstr("6 delivered, 1 refused"));
  EXPECT_EQ(outcome.partial->num_delivered, 6);
}

TEST_F(RetryProcessorTest, ARestThatIsRefusedForGoodIsNoReasonToSendTheOthersAgain) {
  Start(kPlain);
  const otap::BatchPtr batch = testing::SmallLogs(10);
  Next(PartlyDelivered(batch));
  Next(Outcome::Nack("never", true));
  source().Send(batch);
  harness_->RunUntilIdle();
  harness_->Advance(seconds(10));
  const Outcome& outcome = source().outcomes.at(0);
  EXPECT_TRUE(outcome.is_ack);
  EXPECT_EQ(outcome.partial->num_delivered, 6);
  EXPECT_EQ(outcome.partial->num_refused, 4);
}

TEST_F(RetryProcessorTest, APermanentNackGoesUpUnchanged) {
  Start(kPlain);
  Next(Outcome::Nack("broken", true));
  Send();
  EXPECT_EQ(num_attempts(), 1U);
  const Outcome& outcome = source().outcomes.at(0);
  EXPECT_TRUE(outcome.is_permanent);
  EXPECT_EQ(outcome.reason, "broken");
  EXPECT_EQ(harness_->metric("retry", "df.retry.terminated", {{"reason", "permanent"}}), 1);
}

TEST_F(RetryProcessorTest, ATemporaryNackIsSentAgainAfterAtLeastHalfTheWait) {
  Start(kPlain);
  Next(Outcome::Nack("busy", false));
  Send();
  EXPECT_EQ(num_attempts(), 1U);
  EXPECT_EQ(source().num_outcomes, 0);
  harness_->Advance(milliseconds(4999));
  EXPECT_EQ(num_attempts(), 1U);
  harness_->Advance(milliseconds(5001));
  EXPECT_EQ(num_attempts(), 2U);
  EXPECT_EQ(harness_->sink().taken[0], harness_->sink().taken[1]);
  EXPECT_TRUE(source().outcomes.at(0).is_ack);
  EXPECT_EQ(harness_->metric("retry", "df.retry.recovered"), 1);
}

TEST_F(RetryProcessorTest, WaitsGrowUpToTheLongest) {
  Start(kPlain);
  Next(Outcome::Nack("busy", false), 6);
  Send();
  for (const int whole : {10, 20, 40, 40, 40}) {
    const size_t before = num_attempts();
    harness_->Advance(seconds(whole) / 2 - nanoseconds(1));
    EXPECT_EQ(num_attempts(), before) << "came back before half of " << whole << " s";
    nanoseconds waited = seconds(whole) / 2;
    while (num_attempts() == before && waited <= seconds(whole)) {
      harness_->Advance(milliseconds(100));
      waited += milliseconds(100);
    }
    EXPECT_EQ(num_attempts(), before + 1) << "not back after " << whole << " s";
  }
}

TEST_F(RetryProcessorTest, BatchesRefusedTogetherDoNotComeBackTogether) {
  Start(kPlain);
  Next(Outcome::Nack("busy", false), 50);
  Send(50);
  harness_->Advance(milliseconds(6250));
  EXPECT_GT(num_attempts(), 52U);
  EXPECT_LT(num_attempts(), 75U);
}

TEST_F(RetryProcessorTest, TheSameSeedWaitsTheSame) {
  const auto attempts = [&](const std::string& seed) {
    Start(std::string(kPlain) + ", seed: " + seed);
    Next(Outcome::Nack("busy", false), 30);
    Send(30);
    std::vector<size_t> counts;
    for (int step = 0; step < 20; ++step) {
      harness_->Advance(milliseconds(500));
      counts.push_back(num_attempts());
    }
    return counts;
  };
  const auto first = attempts("5");
  EXPECT_EQ(first, attempts("5"));
  EXPECT_NE(first, attempts("6"));
}

TEST_F(RetryProcessorTest, AfterTheElapsedTimeTheLastReasonGoesUp) {
  Start("initial_interval: 10s, max_interval: 10s, max_elapsed_time: 25s");
  Next(Outcome::Nack("first", false));
  Next(Outcome::Nack("later", false, NackCause::kRouteFull), 100);
  Send();
  for (int i = 0; i < 30; ++i) {
    harness_->Advance(seconds(1));
  }
  ASSERT_EQ(source().num_outcomes, 1);
  const Outcome& outcome = source().outcomes.at(0);
  EXPECT_FALSE(outcome.is_ack);
  EXPECT_FALSE(outcome.is_permanent);
  EXPECT_EQ(outcome.cause, NackCause::kRouteFull);
  EXPECT_THAT(outcome.reason, HasSubstr("later (given up after "));
  EXPECT_EQ(harness_->metric("retry", "df.retry.terminated", {{"reason", "max_elapsed_time"}}), 1);
  const size_t before = num_attempts();
  harness_->Advance(seconds(1000));
  EXPECT_EQ(num_attempts(), before);
}

TEST_F(RetryProcessorTest, TheNumberOfRetriesIsBoundedWhenAsked) {
  Start(
      "max_retries: 2, initial_retry_delay_ms: 1000, max_retry_delay_ms: 1000, "
      "backoff_multiplier: 2");
  Next(Outcome::Nack("busy", false), 100);
  Send();
  for (int i = 0; i < 10; ++i) {
    harness_->Advance(seconds(1));
  }
  EXPECT_EQ(num_attempts(), 3U);
  EXPECT_THAT(source().outcomes.at(0).reason, HasSubstr("after 3 attempts: max_retries"));
}

TEST_F(RetryProcessorTest, AFullTableHoldsInputBackAndServesRetriesMeanwhile) {
  Start(std::string(kPlain) + ", max_in_flight: 2");
  Next(Outcome::Nack("busy", false), 2);
  Send(5);
  EXPECT_EQ(num_attempts(), 2U) << "more is in flight than may be";
  harness_->Advance(seconds(10));
  EXPECT_EQ(num_attempts(), 7U);
  EXPECT_EQ(source().num_outcomes, 5);
}

TEST_F(RetryProcessorTest, ConfigAppliesWhileATableIsFull) {
  Start(std::string(kPlain) + ", max_in_flight: 1");
  harness_->sink().holds = true;
  Send(3);
  EXPECT_EQ(num_attempts(), 1U);
  auto changed = std::make_shared<RetryConfig>();
  changed->max_in_flight = 2;
  changed->initial_interval = seconds(1);
  ASSERT_TRUE(harness_->instance().ApplyConfig(1, changed).ok());
  harness_->RunUntilIdle();
  EXPECT_EQ(num_attempts(), 2U);
  harness_->sink().Answer(0, Outcome::Nack("busy", false));
  harness_->Advance(seconds(1));
  EXPECT_EQ(num_attempts(), 3U) << "the changed wait was not used";
}

TEST_F(RetryProcessorTest, TheBytesOfAKeptBatchAreCountedOnce) {
  Start(kPlain);
  harness_->sink().holds = true;
  const auto batch = testing::SmallLogs(100);
  source().Send(batch);
  harness_->RunUntilIdle();
  EXPECT_EQ(harness_->instance().memory().used_bytes(), batch->size_bytes());
  harness_->sink().Answer(0, Outcome::Nack("busy", false));
  harness_->RunUntilIdle();
  EXPECT_EQ(harness_->instance().memory().used_bytes(), batch->size_bytes());
  harness_->Advance(seconds(10));
  harness_->sink().Answer(0, Outcome::Ack());
  harness_->RunUntilIdle();
  EXPECT_EQ(harness_->instance().memory().used_bytes(), 0);
}

TEST_F(RetryProcessorTest, AnEndWithoutDrainWaitsForTheLastRetry) {
  Start(kPlain);
  Next(Outcome::Nack("busy", false), 2);
  Send();
  source().End();
  harness_->RunUntilIdle();
  EXPECT_FALSE(harness_->has_ended());
  harness_->Advance(seconds(10));
  EXPECT_FALSE(harness_->has_ended());
  harness_->Advance(seconds(20));
  EXPECT_TRUE(harness_->has_ended());
  EXPECT_TRUE(source().outcomes.at(0).is_ack);
  EXPECT_EQ(num_attempts(), 3U);
}

TEST_F(RetryProcessorTest, ADrainSendsWhatWaitsAtOnce) {
  Start(kPlain);
  Next(Outcome::Nack("busy", false), 3);
  Send(3);
  EXPECT_EQ(num_attempts(), 3U);
  harness_->RequestDrain();
  harness_->RunUntilIdle();
  EXPECT_EQ(num_attempts(), 6U);
  EXPECT_TRUE(harness_->has_ended());
  EXPECT_EQ(source().num_outcomes, 3);
}

TEST_F(RetryProcessorTest, BeforeTheDeadlineOfADrainWhatWaitsIsNackedWithTheReason) {
  Start(kPlain, {.drain_timeout = seconds(10)});
  Next(Outcome::Nack("still busy", false), 10'000);
  Send(3);
  harness_->RequestDrain();
  harness_->RunUntilIdle();
  for (int i = 0; i < 99 && !harness_->has_ended(); ++i) {
    harness_->Advance(milliseconds(100));
  }
  ASSERT_TRUE(harness_->has_ended()) << "it has not ended by itself";
  EXPECT_FALSE(harness_->TakeResult().was_forced);
  EXPECT_GT(num_attempts(), 3U * 10) << "no short retries while it drained";
  ASSERT_EQ(source().num_outcomes, 3);
  EXPECT_THAT(source().outcomes.at(2).reason, HasSubstr("still busy (given up after "));
  EXPECT_THAT(source().outcomes.at(2).reason, HasSubstr("drain_deadline"));
}

TEST_F(RetryProcessorTest, ADrainThatComesWhileTheRestIsFinishedCutsWaitsShort) {
  Start(kPlain);
  Next(Outcome::Nack("busy", false), 1);
  Send();
  source().End();
  harness_->RunUntilIdle();
  ASSERT_FALSE(harness_->has_ended());
  harness_->RequestDrain();
  harness_->RunUntilIdle();
  EXPECT_TRUE(harness_->has_ended());
  EXPECT_TRUE(source().outcomes.at(0).is_ack);
}

TEST_F(RetryProcessorTest, AForcedEndNacksWhatIsKept) {
  Start(kPlain, {.drain_timeout = seconds(2)});
  harness_->sink().is_corked = true;
  Send(3);
  harness_->RequestDrain();
  harness_->RunUntilIdle();
  harness_->Advance(seconds(2));
  ASSERT_TRUE(harness_->has_ended());
  EXPECT_TRUE(harness_->TakeResult().was_forced);
  EXPECT_EQ(source().num_outcomes, 3);
  for (const auto& [number, outcome] : source().outcomes) {
    EXPECT_EQ(outcome.cause, NackCause::kNodeEnded);
  }
}

TEST_F(RetryProcessorTest, BatchesWithoutAnyAnswerAreGivenUpWhenAsked) {
  Start("cleanup_interval_secs: 5, initial_interval: 1s, max_elapsed_time: 20s");
  harness_->sink().holds = true;
  Send(2);
  harness_->Advance(seconds(20));
  EXPECT_EQ(source().num_outcomes, 0);
  harness_->Advance(seconds(5));
  EXPECT_EQ(source().num_outcomes, 2);
  EXPECT_THAT(source().outcomes.at(0).reason, HasSubstr("no outcome from downstream"));
  harness_->sink().Answer(0, Outcome::Ack());
  harness_->RunUntilIdle();
  EXPECT_EQ(source().num_outcomes, 2) << "a late outcome was passed on";
}

TEST_F(RetryProcessorTest, ADestinationThatHasEndedIsNotTriedAgain) {
  Start(kPlain);
  Next(Outcome::Nack("gone", false, NackCause::kRouteClosed));
  Send();
  EXPECT_EQ(source().outcomes.at(0).cause, NackCause::kRouteClosed);
  EXPECT_EQ(harness_->metric("retry", "df.retry.terminated", {{"reason", "route_closed"}}), 1);
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

TEST_F(RetryProcessorTest, APrintedConfigurationSaysTheSameInEitherForm) {
  for (const std::string text :
       {"{}", "{initial_interval: 1s, multiplier: 2}",
        "{initial_retry_delay_ms: 1000, max_pending_messages: 7, cleanup_interval_secs: 60}"}) {
    const std::string printed = Printed(text);
    EXPECT_EQ(Printed(printed), printed) << text;
  }
  EXPECT_THAT(Printed("{initial_retry_delay_ms: 1000}"),
              ::testing::Not(HasSubstr("initial_interval")));
  EXPECT_THAT(Printed("{}"), HasSubstr("max_elapsed_time: 5m"));
}

TEST_F(RetryProcessorTest, BadKeysAreRefused) {
  EXPECT_EQ(Problem("max_retries: 3, initial_retry_delay_ms: 1000, max_retry_delay_ms: 30000, "
                    "backoff_multiplier: 2.0, max_pending_messages: 10000, "
                    "cleanup_interval_secs: 60"),
            "");
  EXPECT_THAT(Problem("initial_interval: 0s"), HasSubstr("initial_interval"));
  EXPECT_THAT(Problem("multiplier: 0.5"), HasSubstr("expected a number 1..1000"));
  EXPECT_THAT(Problem("initial_interval: 60s"),
              HasSubstr("the longest wait, 30s, is shorter than the first, 1m"));
  EXPECT_THAT(Problem("multiplier: 2, backoff_multiplier: 2"),
              HasSubstr("says the same as 'multiplier', expected one of the two"));
  EXPECT_THAT(Problem("initial_retry_delay_ms: 0"), HasSubstr("whole number of milliseconds"));
  EXPECT_THAT(Problem("max_retrys: 1"), HasSubstr("max_retries"));
}

}  // namespace
}  // namespace df::nodes::processors::retry
