#include "engine/destination_watch.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/simulated_clock.h"

namespace df::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::SizeIs;

class DestinationWatchTest : public ::testing::Test {
 protected:
  void Pass(std::chrono::nanoseconds duration) {
    clock_.Advance(duration);
    loop_.RunUntilIdle();
  }
  void Refuse(bool is_permanent = false, NackCause cause = NackCause::kRefused) {
    CompletionToken token;
    token.TellAlso(&watch_);
    token.Nack("down", is_permanent, cause);
  }
  void Deliver() {
    CompletionToken token;
    token.TellAlso(&watch_);
    CompletionToken moved(std::move(token));
    moved.Ack();
  }

  testing::SimulatedClock clock_;
  runtime::EventLoop loop_{clock_};
  std::vector<DestinationState> told_;
  std::vector<std::string> lines_;
  DestinationWatch watch_{"out", "node 'out'", &loop_,
                          [this](const DestinationState& state) { told_.push_back(state); },
                          [this](LogLevel, const std::string& line) { lines_.push_back(line); }};
};

TEST_F(DestinationWatchTest, TheFirstOutcomeIsTold) {
  Deliver();
  Deliver();
  Pass(seconds(5));
  ASSERT_THAT(told_, SizeIs(1));
  EXPECT_EQ(told_[0].num_delivered, 1);
  EXPECT_EQ(told_[0].failing_since, std::nullopt);
  EXPECT_EQ(watch_.state().num_delivered, 2);
}

TEST_F(DestinationWatchTest, AnOutageIsToldWithItsBeginAndItsReason) {
  Refuse();
  const runtime::WallTime begin = clock_.WallNow();
  Pass(seconds(40));
  Refuse(true);
  ASSERT_THAT(told_, SizeIs(2));  // that a refusal is permanent is news
  EXPECT_EQ(told_[1].failing_since, begin);
  EXPECT_EQ(told_[1].reason, "down");
  EXPECT_EQ(told_[1].num_refused, 2);
  EXPECT_EQ(told_[1].num_permanent, 1);
  EXPECT_EQ(watch_.failing_for(), seconds(40));
  EXPECT_THAT(lines_, SizeIs(2));  // at the begin and after 30 s, by the timer
  Pass(seconds(1));
  Deliver();
  ASSERT_THAT(told_, SizeIs(3));
  EXPECT_EQ(told_[2].failing_since, std::nullopt);
  EXPECT_EQ(watch_.failing_for(), seconds(0));
  EXPECT_THAT(lines_, SizeIs(3));
}

TEST_F(DestinationWatchTest, QuickChangesAreToldOnceASecondAndTheLastOneIsNotLost) {
  for (int i = 0; i < 1000; ++i) {
    Refuse();
    Deliver();
  }
  Refuse();
  EXPECT_THAT(told_, SizeIs(1));
  Pass(seconds(1));
  ASSERT_THAT(told_, SizeIs(2));
  EXPECT_TRUE(told_[1].failing_since.has_value());
  EXPECT_EQ(told_[1].num_refused, 1001);
  Pass(seconds(10));
  EXPECT_THAT(told_, SizeIs(2));
}

TEST_F(DestinationWatchTest, WhatAForcedEndDropsSaysNothingOfTheDestination) {
  Refuse(false, NackCause::kNodeEnded);
  EXPECT_THAT(told_, SizeIs(0));
  EXPECT_THAT(lines_, SizeIs(0));
}

TEST_F(DestinationWatchTest, ATokenThatFallsIsARefusal) {
  {
    CompletionToken token;
    token.TellAlso(&watch_);
  }
  EXPECT_EQ(watch_.state().num_refused, 1);
  EXPECT_EQ(watch_.state().reason, "dropped without outcome");
}

}  // namespace
}  // namespace df::engine
