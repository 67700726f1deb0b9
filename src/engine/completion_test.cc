#include "engine/completion.h"

#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "testing/simulated_clock.h"

namespace df::engine {
namespace {

struct Heard {
  uint64_t calldata;
  Outcome outcome;
};

class Listener final : public CompletionHandler {
 public:
  void OnOutcome(const Outcome& outcome, uint64_t calldata) override {
    heard.push_back({calldata, outcome});
  }
  std::vector<Heard> heard;
};

TEST(CompletionToken, SaysAnAckOnce) {
  Listener listener;
  {
    CompletionToken token(&listener, 7);
    token.Ack();
    token.Ack();
    token.Nack("late", true);
  }
  ASSERT_EQ(listener.heard.size(), 1u);
  EXPECT_TRUE(listener.heard[0].outcome.is_ack);
  EXPECT_EQ(listener.heard[0].calldata, 7u);
}

TEST(CompletionToken, CarriesReasonAndPermanenceOfANack) {
  Listener listener;
  CompletionToken(&listener, 1).Nack("too large", true);
  ASSERT_EQ(listener.heard.size(), 1u);
  EXPECT_EQ(listener.heard[0].outcome.reason, "too large");
  EXPECT_TRUE(listener.heard[0].outcome.is_permanent);
  EXPECT_EQ(listener.heard[0].outcome.cause, NackCause::kRefused);
}

TEST(CompletionToken, OneThatFallsIsANack) {
  Listener listener;
  {
    const CompletionToken token(&listener, 3);
  }
  ASSERT_EQ(listener.heard.size(), 1u);
  EXPECT_FALSE(listener.heard[0].outcome.is_ack);
  EXPECT_FALSE(listener.heard[0].outcome.is_permanent);
  EXPECT_EQ(listener.heard[0].outcome.reason, "dropped without outcome");
  EXPECT_EQ(listener.heard[0].outcome.cause, NackCause::kDropped);
}

TEST(CompletionToken, AssigningOverOneLetsItFall) {
  Listener listener;
  CompletionToken token(&listener, 1);
  token = CompletionToken(&listener, 2);
  ASSERT_EQ(listener.heard.size(), 1u);
  EXPECT_EQ(listener.heard[0].calldata, 1u);
  token.Ack();
  ASSERT_EQ(listener.heard.size(), 2u);
  EXPECT_EQ(listener.heard[1].calldata, 2u);
}

TEST(CompletionToken, WithoutAHandlerSaysNothing) {
  CompletionToken token;
  EXPECT_FALSE(token.is_pending());
  token.Ack();
}

TEST(CompletionToken, AHandlerThatThrowsIsToldToTheSource) {
  class Thrower final : public CompletionHandler {
   public:
    void OnOutcome(const Outcome&, uint64_t) override { throw std::runtime_error("oh"); }
  };
  telemetry::Counter acked, nacked;
  telemetry::Gauge pending;
  TokenSource source;
  source.acked = &acked;
  source.pending = &pending;
  source.nacked.fill({&nacked, &nacked});
  std::vector<std::string> errors;
  source.on_handler_error = [&errors](const std::string& what) { errors.push_back(what); };
  Thrower thrower;
  CompletionToken(&thrower, 1, &source).Ack();
  {
    const CompletionToken falls(&thrower, 2, &source);
  }
  EXPECT_EQ(errors, (std::vector<std::string>{"oh", "oh"}));
  EXPECT_EQ(pending.value(), 0);
}

TEST(CompletionToken, OneThatFallsWhileItsPipelineEndsSaysSo) {
  telemetry::Counter acked, nacked;
  telemetry::Gauge pending;
  TokenSource source;
  source.acked = &acked;
  source.pending = &pending;
  source.nacked.fill({&nacked, &nacked});
  const std::string reason = "the end";
  Listener listener;
  {
    const CompletionToken token(&listener, 1, &source);
    source.end_reason = &reason;
  }
  ASSERT_EQ(listener.heard.size(), 1u);
  EXPECT_EQ(listener.heard[0].outcome.cause, NackCause::kNodeEnded);
  EXPECT_EQ(listener.heard[0].outcome.reason, "the end");
}

// Whatever is done with tokens, each gives exactly one outcome.
TEST(CompletionToken, EverySequenceOfMovesGivesOneOutcomeEach) {
  const uint32_t seed = ::testing::UnitTest::GetInstance()->random_seed();
  SCOPED_TRACE(::testing::Message() << "seed " << seed << " (GTEST_RANDOM_SEED)");
  std::mt19937 random(seed);
  telemetry::Counter acked, retryable, permanent, dropped;
  telemetry::Gauge pending;
  TokenSource source;
  source.acked = &acked;
  source.pending = &pending;
  source.nacked.fill({&retryable, &permanent});
  source.nacked[static_cast<size_t>(NackCause::kDropped)] = {&dropped, nullptr};
  testing::SimulatedClock clock;
  telemetry::Histogram nack_latency(telemetry::LatencyBounds());
  telemetry::Histogram ack_latency(telemetry::LatencyBounds());
  source.latency = {&nack_latency, &ack_latency};
  source.clock = &clock;
  Listener listener;
  constexpr uint64_t kNumTokens = 2000;
  {
    std::vector<CompletionToken> slots(8);
    for (uint64_t i = 0; i < kNumTokens; ++i) {
      slots[random() % slots.size()] = CompletionToken(&listener, i, &source);
      CompletionToken& one = slots[random() % slots.size()];
      CompletionToken& other = slots[random() % slots.size()];
      switch (random() % 5) {
        case 0:
          one.Ack();
          break;
        case 1:
          one.Nack("no", random() % 2 == 0);
          break;
        case 2:
          one = std::move(other);
          break;
        case 3:
          std::swap(one, other);
          break;
        default:
          break;
      }
    }
  }
  std::vector<int> times(kNumTokens, 0);
  for (const Heard& heard : listener.heard) {
    ++times[heard.calldata];
  }
  EXPECT_EQ(times, std::vector<int>(kNumTokens, 1));
  EXPECT_EQ(pending.value(), 0);
  EXPECT_EQ(acked.value() + retryable.value() + permanent.value() + dropped.value(),
            static_cast<int64_t>(kNumTokens));
  EXPECT_GT(dropped.value(), 0);
  EXPECT_EQ(source.num_pending, 0);
  EXPECT_EQ(ack_latency.Read().count, acked.value());
  EXPECT_EQ(nack_latency.Read().count, static_cast<int64_t>(kNumTokens) - acked.value());
}

}  // namespace
}  // namespace df::engine
