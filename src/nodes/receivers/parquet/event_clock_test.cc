#include "nodes/receivers/parquet/event_clock.h"

#include <limits>

#include <gtest/gtest.h>

namespace df::nodes::receivers::parquet {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr int64_t kEpoch = 1'750'000'000'000'000'000;
constexpr int64_t kSecond = 1'000'000'000;

runtime::SteadyTime At(std::chrono::nanoseconds since) { return runtime::SteadyTime(since); }

TEST(EventClock, StartsAtTheEarliestWhenAllThatReadWait) {
  EventClock clock(1, std::nullopt);
  clock.Enter();
  clock.Enter();
  clock.BeginWait(kEpoch + 5 * kSecond);
  clock.Advance(At(seconds(1)));
  EXPECT_FALSE(clock.DueAt(kEpoch).has_value()) << "the other one may have an earlier record";
  clock.BeginWait(kEpoch);
  clock.Advance(At(seconds(10)));
  EXPECT_EQ(clock.DueAt(kEpoch), At(seconds(10)));
  EXPECT_EQ(clock.DueAt(kEpoch + 5 * kSecond), At(seconds(15)));
  EXPECT_EQ(clock.DueAt(kEpoch - kSecond), At(seconds(9)));
}

TEST(EventClock, AReaderThatEndsIsNotWaitedFor) {
  EventClock clock(1, std::nullopt);
  clock.Enter();
  clock.Enter();
  clock.BeginWait(kEpoch);
  clock.Leave();
  clock.Advance(At(seconds(3)));
  EXPECT_EQ(clock.DueAt(kEpoch), At(seconds(3)));
}

TEST(EventClock, RunsAsFastAsItIsTold) {
  EventClock clock(10, std::nullopt);
  clock.Enter();
  clock.BeginWait(kEpoch);
  clock.Advance(At(seconds(1)));
  EXPECT_EQ(clock.DueAt(kEpoch + 20 * kSecond), At(seconds(3)));
  EXPECT_EQ(clock.EventAt(At(seconds(3))), kEpoch + 20 * kSecond);
  EventClock slow(0.5, std::nullopt);
  slow.Enter();
  slow.BeginWait(kEpoch);
  slow.Advance(At(seconds(1)));
  EXPECT_EQ(slow.DueAt(kEpoch + 2 * kSecond), At(seconds(5)));
}

TEST(EventClock, JumpsOverTheRestOfALongGapWhenAllWait) {
  EventClock clock(1, minutes(1));
  clock.Enter();
  clock.Enter();
  clock.BeginWait(kEpoch);
  clock.BeginWait(kEpoch);
  clock.Advance(At(seconds(0)));
  clock.EndWait(kEpoch);
  clock.BeginWait(kEpoch + 3600 * kSecond);
  clock.EndWait(kEpoch);  // this one is still sending
  clock.Advance(At(seconds(1)));
  EXPECT_EQ(clock.DueAt(kEpoch + 3600 * kSecond), At(hours(1)));
  EXPECT_EQ(clock.num_jumps(), 0);
  clock.BeginWait(kEpoch + 1800 * kSecond);
  clock.Advance(At(seconds(2)));
  EXPECT_EQ(clock.DueAt(kEpoch + 1800 * kSecond), At(seconds(62)));
  EXPECT_EQ(clock.num_jumps(), 1);
  EXPECT_EQ(clock.jumped(), seconds(1800 - 62));
  clock.Advance(At(seconds(3)));
  EXPECT_EQ(clock.num_jumps(), 1) << "the gap is no longer than the longest one";
}

TEST(EventClock, ADamagedTimeDoesNotHoldEverythingUp) {
  EventClock clock(1, minutes(1));
  clock.Enter();
  clock.BeginWait(1);  // 1970
  clock.Advance(At(seconds(0)));
  clock.EndWait(1);
  for (const int64_t time : {kEpoch, std::numeric_limits<int64_t>::max()}) {
    clock.BeginWait(time);
    clock.Advance(At(seconds(0)));
    const auto due = clock.DueAt(time);
    ASSERT_TRUE(due.has_value());
    EXPECT_LE(*due - At(seconds(0)), minutes(1) + milliseconds(1)) << time;
    clock.EndWait(time);
  }
  EXPECT_GE(clock.EventAt(At(hours(1000))), kEpoch);
}

}  // namespace
}  // namespace df::nodes::receivers::parquet
