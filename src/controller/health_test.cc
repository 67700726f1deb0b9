#include "controller/health.h"

#include <gtest/gtest.h>

namespace df::controller {
namespace {

using enum config::InstancePhase;
using config::Quorum;

TEST(Health, AtLeastCountsInstances) {
  const std::vector phases = {kRunning, kFailed, kUpdating};
  const std::vector good = {kRunning, kUpdating};
  EXPECT_TRUE(HasQuorum(phases, good, {Quorum::Kind::kAtLeast, 2}));
  EXPECT_FALSE(HasQuorum(phases, good, {Quorum::Kind::kAtLeast, 3}));
}

TEST(Health, PercentIsOfAllInstances) {
  const std::vector phases = {kRunning, kFailed, kRunning};
  const std::vector good = {kRunning};
  EXPECT_TRUE(HasQuorum(phases, good, {Quorum::Kind::kPercent, 66}));
  EXPECT_FALSE(HasQuorum(phases, good, {Quorum::Kind::kPercent, 67}));
  EXPECT_FALSE(HasQuorum(phases, good, {Quorum::Kind::kPercent, 100}));
}

TEST(Health, NoInstanceIsNoQuorum) {
  EXPECT_FALSE(HasQuorum({}, {kRunning}, {Quorum::Kind::kPercent, 0}));
}

TEST(Health, AFailedInstanceShowsForItsPipeline) {
  EXPECT_EQ(OverallPhase(std::vector{kRunning, kFailed}), kFailed);
  EXPECT_EQ(OverallPhase(std::vector{kStopped, kRunning}), kRunning);
  EXPECT_EQ(OverallPhase(std::vector{kStopped, kStopped}), kStopped);
  EXPECT_EQ(OverallPhase({}), kDeleted);
}

}  // namespace
}  // namespace df::controller
