#include "nodes/processors/delay/delay_processor.h"

#include <deque>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/pipeline_harness.h"
#include "testing/random_value.h"

namespace df::nodes::processors::delay {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using engine::Outcome;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

std::string Document(const std::string& config, int64_t channel_size = 100) {
  return fmt::format(R"({{settings: {{default_pdata_channel_size: {}}}, nodes: {{
      source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
               out_ports: {{out: {{destinations: [delay]}}}}}},
      delay: {{kind: processor, plugin_urn: "urn:otel:processor:delay",
              out_ports: {{out: {{destinations: [sink]}}}}, config: {{{}}}}},
      sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}}}}}})",
                     channel_size, config);
}

class DelayProcessorTest : public ::testing::Test {
 protected:
  void Start(const std::string& config, engine::PipelineInstance::Options options = {},
             int64_t channel_size = 100) {
    harness_ = std::make_unique<testing::PipelineHarness>(
        Document(config, channel_size), std::vector{&kDescriptor}, std::move(options));
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->source().ends_by_itself = false;
    harness_->RunUntilIdle();
  }

  otap::BatchPtr Send() {
    auto batch = testing::SmallLogs(1);
    harness_->source().Send(batch);
    harness_->RunUntilIdle();
    return batch;
  }

  size_t num_taken() { return harness_->sink().taken.size(); }

  std::unique_ptr<testing::PipelineHarness> harness_;
};

TEST_F(DelayProcessorTest, ABatchIsSentOnAfterTheDelayAndNotBefore) {
  Start("delay: 5s");
  harness_->sink().next_outcomes.push_back(Outcome::Nack("no room", false));
  Send();
  harness_->Advance(seconds(5) - nanoseconds(1));
  EXPECT_EQ(num_taken(), 0U);
  harness_->Advance(nanoseconds(1));
  EXPECT_EQ(num_taken(), 1U);
  EXPECT_EQ(harness_->source().outcomes.at(0).reason, "no room");
}

TEST_F(DelayProcessorTest, WithoutDelayBatchesPassAtOnce) {
  Start("delay: 0s");
  Send();
  EXPECT_EQ(num_taken(), 1U);
}

TEST_F(DelayProcessorTest, WhenAsManyWaitAsMayInputWaits) {
  Start("delay: 5s, max_pending: 2", {}, 1);
  for (int i = 0; i < 10; ++i) {
    Send();
  }
  // Two are kept, one waits in Process, one in its inbox and one in the receiver.
  EXPECT_EQ(harness_->source().num_sent, 5);
  harness_->Advance(seconds(5));
  EXPECT_EQ(num_taken(), 2U);
  for (int i = 0; i < 10; ++i) {
    harness_->Advance(seconds(5));
  }
  EXPECT_EQ(num_taken(), 10U);
}

TEST_F(DelayProcessorTest, ADrainEndsAllWaits) {
  Start("delay: 1h");
  Send();
  Send();
  harness_->RequestDrain();
  harness_->RunUntilIdle();
  EXPECT_TRUE(harness_->has_ended());
  EXPECT_EQ(num_taken(), 2U);
}

TEST_F(DelayProcessorTest, AnEndWithoutDrainKeepsTheDelay) {
  Start("delay: 5s");
  Send();
  harness_->source().End();
  harness_->RunUntilIdle();
  EXPECT_FALSE(harness_->has_ended());
  harness_->Advance(seconds(5));
  EXPECT_TRUE(harness_->has_ended());
  EXPECT_EQ(num_taken(), 1U);
}

TEST_F(DelayProcessorTest, AChangedDelayAppliesToLaterBatches) {
  Start("delay: 10s");
  Send();
  auto changed = std::make_shared<DelayConfig>();
  changed->delay = seconds(1);
  ASSERT_TRUE(harness_->instance().ApplyConfig(1, changed).ok());
  Send();
  harness_->Advance(seconds(9));
  EXPECT_EQ(num_taken(), 0U) << "the order was lost";
  harness_->Advance(seconds(1));
  EXPECT_EQ(num_taken(), 2U);
  Send();
  harness_->Advance(seconds(1));
  EXPECT_EQ(num_taken(), 3U);
}

TEST_F(DelayProcessorTest, BadKeysAreRefused) {
  const auto problem = [](const std::string& config) {
    return testing::PipelineHarness(Document(config), {&kDescriptor}).status().message();
  };
  EXPECT_THAT(problem(""), HasSubstr("key 'delay' is missing"));
  EXPECT_THAT(problem("delay: 25h"), HasSubstr("delay"));
  EXPECT_THAT(problem("delay: 1s, max_pending: 0"), HasSubstr("max_pending"));
}

TEST_F(DelayProcessorTest, RandomArrivalsLeaveInOrderAtTheTimesOfAModelAndCompleteOnce) {
  const uint64_t first = std::random_device()();
  for (uint64_t seed = first; seed < first + 100 && !HasFailure(); ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    testing::RandomEngine rng(seed);
    const int64_t delay_ms = testing::Between(rng, 0, 3000);
    Start(fmt::format("delay: {}ms", delay_ms), {.drain_timeout = seconds(5)});
    harness_->sink().is_corked = testing::Chance(rng, 0.2);
    const bool is_corked = harness_->sink().is_corked;
    int64_t now_ms = 0;
    std::deque<int64_t> due_ms;
    std::vector<otap::BatchPtr> sent;
    for (int step = 0; step < 60; ++step) {
      if (testing::Chance(rng, 0.5)) {
        sent.push_back(Send());
        due_ms.push_back(now_ms + delay_ms);
      }
      const int64_t advance_ms = testing::Between(rng, 0, 500);
      now_ms += advance_ms;
      harness_->Advance(milliseconds(advance_ms));
      const auto expected =
          std::count_if(due_ms.begin(), due_ms.end(), [&](int64_t due) { return due <= now_ms; });
      if (!is_corked) {
        ASSERT_EQ(num_taken(), static_cast<size_t>(expected));
      }
    }
    harness_->RequestDrain();
    harness_->RunUntilIdle();
    if (is_corked) {
      harness_->Advance(seconds(5));
    } else {
      EXPECT_EQ(harness_->sink().taken, sent);
    }
    ASSERT_TRUE(harness_->has_ended());
    harness_->TakeResult();
    harness_->Destroy();
    EXPECT_EQ(harness_->source().num_outcomes, static_cast<int64_t>(sent.size()));
  }
}

}  // namespace
}  // namespace df::nodes::processors::delay
