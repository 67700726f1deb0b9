#include "controller/supervisor.h"

#include <memory>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/supervisor_harness.h"
#include "testing/simulated_clock.h"

namespace df::controller {
namespace {

using enum config::InstancePhase;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using State = OperationStatus::State;

class SupervisorTest : public ::testing::Test, public SupervisorHarness {
 protected:
  SupervisorTest() : SupervisorHarness(&simulated_, [this](auto by) { simulated_.Advance(by); }) {}

 private:
  testing::SimulatedClock simulated_;
};

TEST_F(SupervisorTest, AFailedInstanceIsStartedAgainAfterItsBackoffAndTheOthersGoOn) {
  Begin({{}, {.key = kOther}});
  const InstanceId neighbour = host.RunningOn(kMain, 1);
  Fail(kMain, 0);
  EXPECT_EQ(PhaseOf(kMain, 0), kFailed);
  EXPECT_FALSE(StatusOf(kMain).is_ready);
  EXPECT_TRUE(StatusOf(kMain).is_live);
  EXPECT_TRUE(StatusOf(kOther).is_ready);
  const auto backoff = AdvanceToDeadline();
  EXPECT_GE(backoff, milliseconds(125));
  EXPECT_LE(backoff, milliseconds(250));
  EXPECT_EQ(PhaseOf(kMain, 0), kRunning);
  EXPECT_TRUE(StatusOf(kMain).is_ready);
  EXPECT_EQ(StatusOf(kMain).instances[0].num_restarts, 1);
  EXPECT_EQ(StatusOf(kMain).instances[0].generation, 2U);
  EXPECT_EQ(StatusOf(kMain).instances[1].generation, 1U);
  EXPECT_EQ(host.RunningOn(kMain, 1), neighbour);
  EXPECT_EQ(host.num_restarts, 1);
}

TEST_F(SupervisorTest, ReadinessIsTakenBackWhileAnInstanceIsStarting) {
  Begin({{.cores = {0}}});
  Fail(kMain, 0);
  host.all_hang = true;
  AdvanceToDeadline();
  EXPECT_EQ(PhaseOf(kMain, 0), kStarting);
  EXPECT_FALSE(StatusOf(kMain).is_ready);
}

TEST_F(SupervisorTest, WithItsBudgetSpentAnInstanceStaysFailedWhileAnotherPipelineGoesOn) {
  Begin({{.cores = {0}, .max_restarts = 2}, {.key = kOther, .cores = {0}}});
  for (int i = 0; i < 2; ++i) {
    Fail(kMain, 0);
    AdvanceToDeadline();
  }
  Fail(kMain, 0);
  EXPECT_EQ(PhaseOf(kMain, 0), kFailed);
  EXPECT_FALSE(supervisor.NextDeadline().has_value());
  EXPECT_FALSE(supervisor.is_done());
  host.End(&supervisor, host.RunningOn(kOther, 0));
  EXPECT_TRUE(supervisor.is_done());
  const RunResult result = supervisor.Summarize();
  EXPECT_EQ(result.outcome, Outcome::kFailed);
  EXPECT_THAT(result.pipelines[0].errors, ElementsAre("broken"));
  EXPECT_THAT(result.pipelines[0].recovered, SizeIs(2));
  EXPECT_EQ(result.pipelines[1].outcome, Outcome::kClean);
}

TEST_F(SupervisorTest, WithoutRecoveryAFailureIsFinal) {
  Begin({{.cores = {0}, .recovers = false}});
  Fail(kMain, 0);
  EXPECT_TRUE(supervisor.is_done());
  EXPECT_EQ(supervisor.Summarize().outcome, Outcome::kFailed);
}

TEST_F(SupervisorTest, AnErrorThatWouldComeAgainIsFinal) {
  Begin({{}, {.key = kOther}});
  host.End(&supervisor, host.RunningOn(kMain, 0), "there is no such base", true);
  Settle();
  EXPECT_EQ(PhaseOf(kMain, 0), kFailed);
  EXPECT_FALSE(supervisor.NextDeadline().has_value()) << "nothing is to be started again";
  EXPECT_EQ(host.num_restarts, 0);
  EXPECT_EQ(PhaseOf(kMain, 1), kRunning);
  EXPECT_EQ(PhaseOf(kOther, 0), kRunning);
}

TEST_F(SupervisorTest, LongWithoutFailureGivesTheWholeBudgetBack) {
  Begin({{.cores = {0}, .max_restarts = 1}});
  for (int i = 0; i < 5; ++i) {
    Fail(kMain, 0);
    ASSERT_EQ(supervisor.NextDeadline().has_value(), true);
    AdvanceToDeadline();
    Advance(seconds(60));
  }
  Fail(kMain, 0);
  AdvanceToDeadline();
  Advance(seconds(59));
  Fail(kMain, 0);
  EXPECT_FALSE(supervisor.NextDeadline().has_value());
}

TEST_F(SupervisorTest, AnErrorOfTheFirstStartIsFinal) {
  host.start_error = [](const InstanceOrder& order) { return order.core == 0 ? "no path" : ""; };
  Begin({{}});
  EXPECT_EQ(PhaseOf(kMain, 0), kRejected);
  EXPECT_EQ(PhaseOf(kMain, 1), kRunning);
  EXPECT_FALSE(supervisor.NextDeadline().has_value());
  host.End(&supervisor, host.RunningOn(kMain, 1));
  EXPECT_TRUE(supervisor.is_done());
  EXPECT_THAT(supervisor.Summarize().pipelines[0].errors, ElementsAre("no path"));
}

TEST_F(SupervisorTest, ARestartThatCannotStartCountsAsAFailure) {
  Begin({{.cores = {0}, .max_restarts = 2}});
  host.start_error = [](const InstanceOrder&) { return "no path"; };
  Fail(kMain, 0);
  AdvanceToDeadline();
  AdvanceToDeadline();
  EXPECT_EQ(PhaseOf(kMain, 0), kFailed);
  EXPECT_FALSE(supervisor.NextDeadline().has_value());
  EXPECT_TRUE(supervisor.is_done());
}

TEST_F(SupervisorTest, AnInstanceThatIsNotRunningInTimeIsEndedAndStartedAgain) {
  Begin({{.cores = {0}}});
  Fail(kMain, 0);
  host.all_hang = true;
  AdvanceToDeadline();
  EXPECT_EQ(AdvanceToDeadline(), seconds(30));
  EXPECT_EQ(PhaseOf(kMain, 0), kFailed);
  EXPECT_THAT(StatusOf(kMain).instances[0].reason, HasSubstr("in time"));
  host.all_hang = false;
  AdvanceToDeadline();
  EXPECT_EQ(PhaseOf(kMain, 0), kRunning);
}

TEST_F(SupervisorTest, WhenAllReceiversAreDoneNothingIsLeftToDo) {
  Begin({{}});
  for (const int core : {0, 1}) {
    EXPECT_FALSE(supervisor.is_done());
    host.End(&supervisor, host.RunningOn(kMain, core));
  }
  EXPECT_TRUE(supervisor.is_done());
  EXPECT_EQ(supervisor.Summarize().outcome, Outcome::kClean);
}

TEST_F(SupervisorTest, ReportsOfInstancesThatWereMadeAgainAreKept) {
  Begin({{}});
  Fail(kMain, 0);
  AdvanceToDeadline();
  for (const int core : {0, 1}) {
    host.End(&supervisor, host.RunningOn(kMain, core));
  }
  const RunResult result = supervisor.Summarize();
  EXPECT_THAT(result.pipelines[0].nodes[0].report.lines,
              ElementsAre("instance 0: ended", "instance 0: ended", "instance 1: ended"));
  EXPECT_EQ(result.pipelines[0].nodes[0].report.num_problems, 1);
  EXPECT_EQ(result.pipelines[0].num_restarts, 1);
}

TEST_F(SupervisorTest, AShutdownDrainsEverythingAndIsNotReadyMeanwhile) {
  Begin({{}, {.key = kOther}});
  Fail(kOther, 1);
  host.is_stubborn = true;
  supervisor.Shutdown("test");
  Settle();
  EXPECT_TRUE(supervisor.is_draining());
  EXPECT_FALSE(StatusOf(kMain).is_ready);
  EXPECT_EQ(StatusOf(kMain).phase, kDraining);
  EXPECT_THAT(host.draining, SizeIs(3));
  EXPECT_TRUE(supervisor.Stop(kMain, seconds(1)).status().IsCancelled());
  EXPECT_TRUE(supervisor.Put(kMain, Plan({}), {}).status().IsCancelled());
  while (!host.alive.empty()) {
    EXPECT_FALSE(supervisor.is_done());
    host.End(&supervisor, host.alive.begin()->first);
  }
  EXPECT_TRUE(supervisor.is_done());
  // The one that was waiting for its restart has failed.
  EXPECT_EQ(supervisor.Summarize().outcome, Outcome::kFailed);
  EXPECT_THAT(host.forced, IsEmpty());
}

TEST_F(SupervisorTest, WhatDoesNotEndAfterAShutdownIsForced) {
  Begin({{}});
  host.is_stubborn = true;
  supervisor.Shutdown("test");
  Settle();
  Advance(seconds(11));
  EXPECT_THAT(host.forced, IsEmpty());
  Advance(seconds(1));
  EXPECT_THAT(host.forced, SizeIs(1));
}

TEST_F(SupervisorTest, StopDrainsAndStartBeginsAnew) {
  Begin({{}});
  const uint64_t id = supervisor.Stop(kMain, seconds(5)).ValueOrDie().id;
  EXPECT_EQ(supervisor.Operation(kMain, id)->state, State::kRunning);
  EXPECT_TRUE(supervisor.Start(kMain).status().IsAlreadyExists());
  Settle();
  EXPECT_EQ(supervisor.Operation(kMain, id)->state, State::kSucceeded);
  EXPECT_EQ(StatusOf(kMain).phase, kStopped);
  EXPECT_THAT(host.drain_timeouts, ElementsAre(seconds(5), seconds(5)));
  ASSERT_TRUE(supervisor.Start(kMain).ok());
  EXPECT_FALSE(supervisor.is_done());
  Settle();
  EXPECT_EQ(LastOperation(kMain).state, State::kSucceeded);
  EXPECT_EQ(StatusOf(kMain).phase, kRunning);
  EXPECT_EQ(StatusOf(kMain).generation, 2U);
}

TEST_F(SupervisorTest, StopWaitsForNoRestart) {
  Begin({{.cores = {0}}});
  Fail(kMain, 0);
  ASSERT_TRUE(supervisor.Stop(kMain, seconds(5)).ok());
  EXPECT_EQ(LastOperation(kMain).state, State::kSucceeded);
  EXPECT_FALSE(supervisor.NextDeadline().has_value());
}

TEST_F(SupervisorTest, AnInstanceThatDoesNotEndFailsTheStop) {
  Begin({{.cores = {0}}});
  host.is_stubborn = true;
  ASSERT_TRUE(supervisor.Stop(kMain, seconds(5)).ok());
  Settle();
  EXPECT_EQ(AdvanceToDeadline(), seconds(7));
  EXPECT_EQ(LastOperation(kMain).state, State::kFailed);
}

TEST_F(SupervisorTest, WhatIsNotPreparedInTimeIsNotStarted) {
  Begin({{.cores = {0}}});
  ASSERT_TRUE(supervisor.Stop(kMain, seconds(5)).ok());
  Settle();
  ASSERT_TRUE(supervisor.Start(kMain).ok());
  host.calls.clear();
  EXPECT_EQ(AdvanceToDeadline(), seconds(30));
  EXPECT_EQ(LastOperation(kMain).state, State::kFailed);
  EXPECT_EQ(StatusOf(kMain).phase, kStopped);
}

TEST_F(SupervisorTest, AStartThatFailsIsFinal) {
  Begin({{}});
  ASSERT_TRUE(supervisor.Stop(kMain, seconds(5)).ok());
  Settle();
  host.start_error = [](const InstanceOrder& order) { return order.core == 1 ? "no path" : ""; };
  ASSERT_TRUE(supervisor.Start(kMain).ok());
  Settle();
  EXPECT_EQ(LastOperation(kMain).state, State::kFailed);
  EXPECT_EQ(LastOperation(kMain).reason, "no path");
  EXPECT_EQ(PhaseOf(kMain, 0), kRunning);
  EXPECT_EQ(PhaseOf(kMain, 1), kRejected);
}

TEST_F(SupervisorTest, ADeletedPipelineIsGoneButItsOperationCanBeLookedUp) {
  Begin({{}, {.key = kOther}});
  const uint64_t id = supervisor.Delete(kMain, seconds(5)).ValueOrDie().id;
  EXPECT_EQ(PhaseOf(kMain, 0), kDeleting);
  Settle();
  EXPECT_TRUE(supervisor.Pipeline(kMain).status().IsKeyError());
  EXPECT_TRUE(supervisor.Stop(kMain, seconds(5)).status().IsKeyError());
  EXPECT_THAT(supervisor.Pipelines(), SizeIs(1));
  EXPECT_EQ(supervisor.Operation(kMain, id)->state, State::kSucceeded);
  EXPECT_THAT(host.forgotten, ElementsAre(kMain));
  EXPECT_THAT(supervisor.Summarize().pipelines[0].nodes[0].report.lines, SizeIs(2));
}

TEST_F(SupervisorTest, TheLast32EndedOperationsAreKept) {
  Begin({{}});
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(supervisor.Put(kMain, Plan({}), {}).ok());
  }
  EXPECT_THAT(StatusOf(kMain).operations, SizeIs(32));
  EXPECT_EQ(StatusOf(kMain).operations.front().id, 9U);
  EXPECT_TRUE(supervisor.Operation(kMain, 8).status().IsKeyError());
}

TEST(SupervisorThatStaysUp, EndsWhenReceiversAreDoneButNotWhenAPipelineWasStopped) {
  testing::SimulatedClock clock;
  FakeHost host;
  Supervisor supervisor({.stays_up = true}, &clock, &host);
  supervisor.Begin({Configured({}), Configured({.key = kOther, .cores = {0}})});
  const auto settle = [&] {
    while (host.Step(&supervisor)) {
    }
  };
  settle();
  ASSERT_TRUE(supervisor.Stop(kMain, seconds(1)).ok());
  settle();
  host.End(&supervisor, host.RunningOn(kOther, 0));
  EXPECT_FALSE(supervisor.is_done());
  ASSERT_TRUE(supervisor.Start(kMain).ok());
  settle();
  for (const int core : {0, 1}) {
    EXPECT_FALSE(supervisor.is_done());
    host.End(&supervisor, host.RunningOn(kMain, core));
  }
  EXPECT_TRUE(supervisor.is_done());
  ASSERT_TRUE(supervisor.Delete(kMain, seconds(1)).ok());
  ASSERT_TRUE(supervisor.Delete(kOther, seconds(1)).ok());
  EXPECT_FALSE(supervisor.is_done());
}

}  // namespace
}  // namespace df::controller
