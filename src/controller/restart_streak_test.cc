#include "controller/restart_streak.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace df::controller {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

TEST(RestartStreak, BacksOffExponentiallyUpToTheMostWithJitterBelow) {
  const config::RuntimeRecoveryPolicy policy{.max_restarts = 100};
  RestartStreak streak(1);
  nanoseconds backoff = milliseconds(250);
  bool has_jitter = false;
  for (int i = 0; i < 100; ++i) {
    const nanoseconds delay = streak.OnFailure(policy, std::nullopt).value();
    EXPECT_GE(delay, backoff / 2);
    EXPECT_LE(delay, backoff);
    has_jitter = has_jitter || (delay > backoff / 2 && delay < backoff);
    backoff = std::min<nanoseconds>(backoff * 2, seconds(30));
  }
  EXPECT_TRUE(has_jitter);
  EXPECT_FALSE(streak.OnFailure(policy, std::nullopt).has_value());
}

TEST(RestartStreak, IsTheSameForTheSameSeed) {
  RestartStreak one(5);
  RestartStreak two(5);
  EXPECT_EQ(one.OnFailure({}, std::nullopt), two.OnFailure({}, std::nullopt));
}

TEST(RestartStreak, ALongRunBeginsANewStreakAndAShortOneDoesNot) {
  const config::RuntimeRecoveryPolicy policy{.max_restarts = 2};
  RestartStreak streak(1);
  streak.OnFailure(policy, std::nullopt);
  streak.OnFailure(policy, seconds(59));
  EXPECT_EQ(streak.length(), 2);
  EXPECT_TRUE(streak.OnFailure(policy, seconds(60)).has_value());
  EXPECT_EQ(streak.length(), 1);
}

}  // namespace
}  // namespace df::controller
