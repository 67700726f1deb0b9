#include "controller/signal_policy.h"

#include <csignal>

#include <gtest/gtest.h>

#include "testing/simulated_clock.h"

namespace df::controller {
namespace {

using Action = SignalPolicy::Action;
using std::chrono::milliseconds;

class SignalPolicyTest : public ::testing::Test {
 protected:
  Action On(int signal) { return policy_.OnSignal(signal, clock_.Now()); }

  testing::SimulatedClock clock_;
  SignalPolicy policy_;
};

TEST_F(SignalPolicyTest, ASignalThatIsDeliveredTwiceIsOne) {
  EXPECT_EQ(On(SIGINT), Action::kShutDown);
  EXPECT_EQ(On(SIGINT), Action::kNothing);
  clock_.Advance(milliseconds(1));
  EXPECT_EQ(On(SIGTERM), Action::kNothing);
  clock_.Advance(milliseconds(498));
  EXPECT_EQ(On(SIGINT), Action::kNothing);
  EXPECT_EQ(policy_.shutdown_signal(), SIGINT);
}

TEST_F(SignalPolicyTest, ASecondSignalForcesFromHalfASecondOn) {
  EXPECT_EQ(On(SIGTERM), Action::kShutDown);
  clock_.Advance(milliseconds(499));
  EXPECT_EQ(On(SIGTERM), Action::kNothing);  // does not begin the time again
  clock_.Advance(milliseconds(1));
  EXPECT_EQ(On(SIGINT), Action::kForce);
}

TEST_F(SignalPolicyTest, HangUpReloadsAndNeverEndsAnything) {
  EXPECT_EQ(On(SIGHUP), Action::kReload);
  clock_.Advance(std::chrono::hours(1));
  EXPECT_EQ(On(SIGHUP), Action::kReload);
  EXPECT_EQ(policy_.shutdown_signal(), std::nullopt);
  EXPECT_EQ(On(SIGTERM), Action::kShutDown);  // the first one
  clock_.Advance(milliseconds(600));
  EXPECT_EQ(On(SIGHUP), Action::kReload);
}

TEST_F(SignalPolicyTest, OtherSignalsMeanNothing) {
  EXPECT_EQ(On(SIGUSR1), Action::kNothing);
  EXPECT_EQ(On(SIGUSR2), Action::kNothing);
  EXPECT_EQ(On(SIGINT), Action::kShutDown);
}

}  // namespace
}  // namespace df::controller
