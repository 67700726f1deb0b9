#include "runtime/channel.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::runtime {
namespace {

using Message = std::unique_ptr<int>;
using TestChannel = Channel<Message>;

Task<> PushOne(TestChannel* channel, int value, int64_t size_bytes, PushResult* result) {
  Message message = std::make_unique<int>(value);
  *result = co_await channel->Push(message, size_bytes);
  // The message is gone exactly when it was sent.
  EXPECT_EQ(message == nullptr, *result == PushResult::kSent);
}

Task<> PopAll(TestChannel* channel, std::vector<int>* values, bool* has_ended) {
  while (std::optional<Message> message = co_await channel->Pop()) {
    values->push_back(**message);
  }
  *has_ended = true;
}

Task<> PopOne(TestChannel* channel, std::vector<int>* values) {
  if (const std::optional<Message> message = co_await channel->Pop()) {
    values->push_back(**message);
  }
}

class ChannelTest : public testing::Test {
 protected:
  PushResult* Push(TestChannel* channel, int value, int64_t size_bytes) {
    results_.push_back(std::make_unique<PushResult>(PushResult::kFull));
    Run(PushOne(channel, value, size_bytes, results_.back().get()));
    return results_.back().get();
  }
  void Run(Task<> task) {
    tasks_.push_back(std::move(task));
    tasks_.back().Start();
    loop_.RunUntilIdle();
  }

  EventLoop loop_;
  std::vector<std::unique_ptr<PushResult>> results_;
  std::vector<Task<>> tasks_;
};

TEST_F(ChannelTest, AnEmptyChannelAdmitsOneMessageOfAnySize) {
  TestChannel channel(&loop_, {.max_messages = 4, .max_bytes = 10});
  EXPECT_EQ(*Push(&channel, 1, 1'000'000), PushResult::kSent);
  EXPECT_EQ(*Push(&channel, 2, 1), PushResult::kFull) << "must wait: the bytes are used up";
  std::vector<int> values;
  Run(PopOne(&channel, &values));
  EXPECT_EQ(*results_[1], PushResult::kSent);
}

TEST_F(ChannelTest, BoundsMessagesAndBytesAtTheSameTime) {
  TestChannel messages(&loop_, {.max_messages = 2, .max_bytes = 1000});
  EXPECT_EQ(*Push(&messages, 1, 1), PushResult::kSent);
  EXPECT_EQ(*Push(&messages, 2, 1), PushResult::kSent);
  EXPECT_EQ(*Push(&messages, 3, 1), PushResult::kFull);
  TestChannel bytes(&loop_, {.max_messages = 100, .max_bytes = 10});
  EXPECT_EQ(*Push(&bytes, 1, 6), PushResult::kSent);
  EXPECT_EQ(*Push(&bytes, 2, 4), PushResult::kSent);
  EXPECT_EQ(*Push(&bytes, 3, 1), PushResult::kFull);
  tasks_.clear();
}

TEST_F(ChannelTest, ALaterMessageThatFitsDoesNotOvertakeOneThatWaits) {
  TestChannel channel(&loop_, {.max_messages = 100, .max_bytes = 10});
  Push(&channel, 1, 8);
  Push(&channel, 2, 9);
  EXPECT_EQ(*Push(&channel, 3, 1), PushResult::kFull);
  channel.Close();
  loop_.RunUntilIdle();
}

TEST_F(ChannelTest, CloseLetsTheBufferDrainAndRefusesTheRest) {
  TestChannel channel(&loop_, {.max_messages = 2});
  Push(&channel, 1, 1);
  Push(&channel, 2, 1);
  PushResult* waiting = Push(&channel, 3, 1);
  channel.Close();
  loop_.RunUntilIdle();
  EXPECT_EQ(*waiting, PushResult::kClosed);
  EXPECT_EQ(*Push(&channel, 4, 1), PushResult::kClosed);
  std::vector<int> values;
  bool has_ended = false;
  Run(PopAll(&channel, &values, &has_ended));
  EXPECT_THAT(values, testing::ElementsAre(1, 2));
  EXPECT_TRUE(has_ended);
}

TEST_F(ChannelTest, CloseWakesAConsumerThatWaits) {
  TestChannel channel(&loop_, {.max_messages = 2});
  std::vector<int> values;
  bool has_ended = false;
  Run(PopAll(&channel, &values, &has_ended));
  EXPECT_FALSE(has_ended);
  channel.Close();
  loop_.RunUntilIdle();
  EXPECT_TRUE(has_ended);
}

TEST_F(ChannelTest, AFrameMayBeDestroyedWhileItWaits) {
  TestChannel channel(&loop_, {.max_messages = 1});
  Push(&channel, 1, 1);
  Push(&channel, 2, 1);
  tasks_.pop_back();
  std::vector<int> values;
  bool has_ended = false;
  channel.Close();
  Run(PopAll(&channel, &values, &has_ended));
  EXPECT_THAT(values, testing::ElementsAre(1));
}

TEST_F(ChannelTest, WaitsAreCountedUnderTheirName) {
  TestChannel channel(&loop_, {.max_messages = 1});
  Push(&channel, 1, 1);
  Push(&channel, 2, 1);
  std::vector<int> values;
  Run(PopOne(&channel, &values));
  EXPECT_EQ(channel.full_waits().reason(), "edge_full");
  EXPECT_EQ(channel.full_waits().num_waits(), 1);
  Run(PopOne(&channel, &values));
  Run(PopOne(&channel, &values));
  Push(&channel, 3, 1);
  EXPECT_EQ(channel.empty_waits().reason(), "edge_empty");
  EXPECT_EQ(channel.empty_waits().num_waits(), 1);
}

// Any order of pushes, pops and a close: what is popped is exactly what was sent, in the order of
// each producer, and the bounds hold at every step.
TEST_F(ChannelTest, EverySequenceOfCallsKeepsOrderAndBounds) {
  const uint32_t seed = testing::UnitTest::GetInstance()->random_seed();
  SCOPED_TRACE(testing::Message() << "seed " << seed << " (GTEST_RANDOM_SEED)");
  std::mt19937 random(seed);
  for (int round = 0; round < 300; ++round) {
    const ChannelLimits limits = {.max_messages = 1 + static_cast<int64_t>(random() % 4),
                                  .max_bytes = 1 + static_cast<int64_t>(random() % 30)};
    TestChannel channel(&loop_, limits);
    results_.clear();
    tasks_.clear();
    std::vector<int> values;
    std::vector<int64_t> sizes;
    for (int step = 0; step < 60; ++step) {
      if (random() % 5 < 3) {
        sizes.push_back(static_cast<int64_t>(random() % 20));
        Push(&channel, static_cast<int>(sizes.size()) - 1, sizes.back());
      } else if (channel.num_messages() > 0) {
        Run(PopOne(&channel, &values));
      }
      ASSERT_LE(channel.num_messages(), limits.max_messages);
      ASSERT_TRUE(channel.size_bytes() <= limits.max_bytes || channel.num_messages() == 1);
    }
    channel.Close();
    bool has_ended = false;
    Run(PopAll(&channel, &values, &has_ended));
    ASSERT_TRUE(has_ended);
    std::vector<int> sent;
    for (size_t i = 0; i < results_.size(); ++i) {
      ASSERT_NE(*results_[i], PushResult::kFull) << "a producer was forgotten";
      if (*results_[i] == PushResult::kSent) {
        sent.push_back(static_cast<int>(i));
      }
    }
    ASSERT_EQ(values, sent);
    ASSERT_EQ(channel.size_bytes(), 0);
  }
  tasks_.clear();
}

}  // namespace
}  // namespace df::runtime
