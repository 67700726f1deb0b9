#include "engine/inbox.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/pipeline_harness.h"

namespace df::engine {
namespace {

runtime::Task<> TakeSome(Inbox* inbox, int count, std::vector<InboxEvent::Kind>* kinds,
                         int refilled_timer) {
  runtime::SteadyTime now(std::chrono::seconds(1));  // where simulated clocks begin
  for (int i = 0; i < count; ++i) {
    const InboxEvent event = co_await inbox->Next(&now);
    kinds->push_back(event.kind);
    if (event.kind == InboxEvent::Kind::kTimer) {
      inbox->PushTick(refilled_timer);
    }
  }
}

class InboxTest : public ::testing::Test {
 protected:
  void Push(CompletionToken token = {}) {
    Pdata pdata(testing::SmallLogs(1), std::move(token));
    runtime::Task<> push = PushOne(&inbox_, std::move(pdata));
    push.Start();
    EXPECT_TRUE(push.is_done()) << "there is room";
  }
  static runtime::Task<> PushOne(Inbox* inbox, Pdata pdata) { co_await inbox->Push(pdata, 1); }

  testing::SimulatedClock clock_;
  runtime::EventLoop loop_{clock_};
  telemetry::Registry registry_;
  NodeMetrics metrics_{
      &registry_, {.node = "a"}, "processor:test", config::MetricsLevel::kDetailed};
  Inbox inbox_{&loop_, {.pdata = {.max_messages = 10}, .max_control = 4}, &metrics_};
};

TEST_F(InboxTest, ControlComesBeforeData) {
  Push();
  inbox_.PushTick(1);
  std::vector<InboxEvent::Kind> kinds;
  runtime::Task<> take = TakeSome(&inbox_, 3, &kinds, 1);
  take.Start();
  EXPECT_EQ(kinds[0], InboxEvent::Kind::kTimer);
}

TEST_F(InboxTest, ControlThatNeverEndsDoesNotStarveData) {
  Push();
  Push();
  inbox_.PushTick(1);
  std::vector<InboxEvent::Kind> kinds;
  constexpr int kTaken = 2 * (Inbox::kMaxControlInARow + 1);
  runtime::Task<> take = TakeSome(&inbox_, kTaken, &kinds, 1);
  take.Start();
  ASSERT_EQ(kinds.size(), static_cast<size_t>(kTaken));
  EXPECT_EQ(kinds[Inbox::kMaxControlInARow], InboxEvent::Kind::kBatch);
  EXPECT_EQ(kinds.back(), InboxEvent::Kind::kBatch);
}

TEST_F(InboxTest, AFullControlQueueLeavesTicksOut) {
  for (int id = 0; id < 6; ++id) {
    inbox_.PushTick(id);
  }
  EXPECT_EQ(metrics_.ticks_left_out->value(), 2);
}

TEST_F(InboxTest, TheEndComesAfterEveryBatch) {
  Push();
  Push();
  inbox_.Close();
  std::vector<InboxEvent::Kind> kinds;
  runtime::Task<> take = TakeSome(&inbox_, 3, &kinds, 0);
  take.Start();
  EXPECT_THAT(kinds, ::testing::ElementsAre(InboxEvent::Kind::kBatch, InboxEvent::Kind::kBatch,
                                            InboxEvent::Kind::kEnd));
}

TEST_F(InboxTest, TheTimeWithoutWorkIsCounted) {
  std::vector<InboxEvent::Kind> kinds;
  runtime::Task<> take = TakeSome(&inbox_, 1, &kinds, 0);
  take.Start();
  clock_.Advance(std::chrono::seconds(3));
  Push();
  loop_.RunUntilIdle();
  EXPECT_EQ(metrics_.empty_wait.waits->value(), 1);
  EXPECT_EQ(metrics_.empty_wait.time->value(), 3'000'000'000);
}

}  // namespace
}  // namespace df::engine
