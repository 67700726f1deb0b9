#include "nodes/receivers/parquet/pacer.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "testing/simulated_clock.h"

namespace df::nodes::receivers::parquet {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

runtime::SteadyTime At(std::chrono::nanoseconds since) { return runtime::SteadyTime(since); }

TEST(RateLimit, SpacesAmountsOutAndSavesNothingUp) {
  RateLimit rate(100);
  EXPECT_EQ(rate.Reserve(At(seconds(1)), 50), At(seconds(1)));
  EXPECT_EQ(rate.Reserve(At(seconds(1)), 10), At(milliseconds(1500)));
  EXPECT_EQ(rate.Reserve(At(seconds(1)), 1), At(milliseconds(1600)));
  EXPECT_EQ(rate.Reserve(At(seconds(60)), 200), At(seconds(60))) << "a minute of rest gives none";
  EXPECT_EQ(rate.Reserve(At(seconds(60)), 1), At(seconds(62)));
}

PaceOptions AtSpeed(double factor) {
  PaceOptions options;
  options.speed.factor = factor;
  return options;
}

TEST(Pacer, WhoIsStoppedWaitsNoMore) {
  df::testing::SimulatedClock clock;
  Pacer pacer(AtSpeed(1), clock);
  pacer.Enter();
  pacer.Enter();  // has work and does not wait: nothing is due before it does
  std::atomic<bool> is_stopped = false;
  Pacer::Wait was_due = Pacer::Wait::kDue;
  std::thread reader(
      [&] { was_due = pacer.WaitUntilDue(1000, [&] { return is_stopped.load(); }); });
  is_stopped = true;
  pacer.Wake();
  reader.join();
  EXPECT_EQ(was_due, Pacer::Wait::kStopped);
  EXPECT_FALSE(pacer.WaitForRate(1, 1, [] { return true; }));
}

TEST(Pacer, ARecordThatComesLateIsCounted) {
  df::testing::SimulatedClock clock;
  Pacer pacer(AtSpeed(2), clock);
  pacer.Enter();
  const auto never = [] { return false; };
  ASSERT_EQ(pacer.WaitUntilDue(1'000'000'000, never), Pacer::Wait::kDue);
  EXPECT_EQ(pacer.figures().most_behind, seconds(0));
  clock.Advance(seconds(5));
  ASSERT_EQ(pacer.WaitUntilDue(3'000'000'000, never), Pacer::Wait::kDue);
  EXPECT_EQ(pacer.figures().behind, seconds(4));
  ASSERT_EQ(pacer.WaitUntilDue(11'000'000'000, never), Pacer::Wait::kDue);
  EXPECT_EQ(pacer.figures().behind, seconds(0));
  EXPECT_EQ(pacer.figures().most_behind, seconds(4));
}

TEST(Pacer, TellsTheTimeOnTheWallAtWhichARecordIsDue) {
  df::testing::SimulatedClock clock;
  Pacer pacer(AtSpeed(2), clock);
  pacer.Enter();
  ASSERT_EQ(pacer.WaitUntilDue(1'000'000'000, [] { return false; }), Pacer::Wait::kDue);
  const int64_t wall = std::chrono::nanoseconds(clock.WallNow().time_since_epoch()).count();
  EXPECT_EQ(1'000'000'000 + pacer.ShiftToWall(1'000'000'000), wall);
  clock.Advance(seconds(1));
  EXPECT_EQ(1'000'000'000 + pacer.ShiftToWall(1'000'000'000), wall + 1'000'000'000);
  EXPECT_EQ(pacer.ShiftToWall(std::nullopt), wall + 1'000'000'000 - 3'000'000'000);
}

}  // namespace
}  // namespace df::nodes::receivers::parquet
