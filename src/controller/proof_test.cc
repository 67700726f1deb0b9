#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/supervisor_harness.h"
#include "testing/simulated_clock.h"

namespace df::controller {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using State = OperationStatus::State;

class ProofTest : public ::testing::Test, public SupervisorHarness {
 protected:
  ProofTest() : SupervisorHarness(&simulated_, [this](auto by) { simulated_.Advance(by); }) {}

  uint64_t Put(const Shape& shape) {
    const uint64_t id = supervisor.Put(shape.key, Plan(shape), {}).ValueOrDie().id;
    Settle();
    return id;
  }
  OperationStatus Operation(uint64_t id) { return supervisor.Operation(kMain, id).ValueOrDie(); }
  void Deliver(int core = 0) {
    host.Tell(&supervisor, host.RunningOn(kMain, core), 1, 0, simulated_);
    Settle();
  }
  void Refuse(int core = 0, bool is_permanent = false) {
    host.Tell(&supervisor, host.RunningOn(kMain, core), 0, 1, simulated_, is_permanent ? 1 : 0);
    Settle();
  }

  testing::SimulatedClock simulated_;
};

TEST_F(ProofTest, AGenerationThatDeliversIsProvenAtOnce) {
  Begin({{.cores = {0}}});
  Deliver();
  const uint64_t id = Put({.cores = {0}, .config = "2"});
  EXPECT_EQ(Operation(id).state, State::kRunning);
  Deliver();
  EXPECT_EQ(Operation(id).state, State::kSucceeded);
  Advance(minutes(5));
  EXPECT_EQ(ConfigOn(kMain, 0), "2");
  EXPECT_THAT(StatusOf(kMain).operations, SizeIs(1));
}

TEST_F(ProofTest, AGenerationThatRefusesEverythingIsTakenBack) {
  Begin({{.cores = {0, 1}}});
  Deliver(0);
  const uint64_t id = Put({.cores = {0, 1}, .config = "2"});
  Refuse(0);
  Refuse(1);
  Refuse(0);
  Advance(seconds(59));
  EXPECT_EQ(Operation(id).state, State::kRunning);
  EXPECT_EQ(ConfigOn(kMain, 1), "2");
  Advance(seconds(1));
  EXPECT_EQ(Operation(id).state, State::kRolledBack);
  EXPECT_THAT(Operation(id).reason, HasSubstr("node 'sink' has refused everything"));
  EXPECT_THAT(Operation(id).reason, HasSubstr("refused by the sink"));
  EXPECT_EQ(ConfigOn(kMain, 0), "1");
  EXPECT_EQ(ConfigOn(kMain, 1), "1");
  EXPECT_TRUE(StatusOf(kMain).is_ready);
  EXPECT_EQ(host.drain_timeouts.front(), seconds(60));
  EXPECT_EQ(host.drain_timeouts.back(), seconds(10)) << "it cannot deliver what it holds";
}

TEST_F(ProofTest, OneDeliveryAmongRefusalsIsEnough) {
  Begin({{.cores = {0, 1}}});
  Deliver(0);
  const uint64_t id = Put({.cores = {0, 1}, .config = "2"});
  Refuse(0, true);
  Deliver(1);
  Refuse(0, true);
  Advance(minutes(2));
  EXPECT_EQ(Operation(id).state, State::kSucceeded);
  EXPECT_EQ(ConfigOn(kMain, 0), "2");
}

TEST_F(ProofTest, WithoutTrafficBeforeItNobodyWaits) {
  Begin({{.cores = {0}}});
  const uint64_t id = Put({.cores = {0}, .config = "2"});
  EXPECT_EQ(Operation(id).state, State::kSucceeded);
  Advance(minutes(5));
  EXPECT_EQ(ConfigOn(kMain, 0), "2");
}

TEST_F(ProofTest, WhatIsRefusedAfterAnIdleRolloutIsTakenBackToo) {
  Begin({{.cores = {0}}});
  const uint64_t id = Put({.cores = {0}, .config = "2"});
  ASSERT_EQ(Operation(id).state, State::kSucceeded);
  Advance(seconds(20));
  Refuse();
  Advance(seconds(40));
  EXPECT_EQ(Operation(id).state, State::kSucceeded);
  const OperationStatus back = LastOperation(kMain);
  EXPECT_EQ(back.action, "take_back");
  EXPECT_EQ(back.state, State::kSucceeded);
  EXPECT_THAT(back.reason, HasSubstr("has refused everything"));
  EXPECT_EQ(ConfigOn(kMain, 0), "1");
  // And what was taken back to is not taken back from.
  Refuse();
  Advance(minutes(5));
  EXPECT_EQ(ConfigOn(kMain, 0), "1");
  EXPECT_THAT(StatusOf(kMain).operations, SizeIs(2));
}

TEST_F(ProofTest, TrafficOfLongAgoIsNoReasonToWait) {
  Begin({{.cores = {0}}});
  Deliver();
  Advance(minutes(2));
  EXPECT_EQ(Operation(Put({.cores = {0}, .config = "2"})).state, State::kSucceeded);
}

TEST_F(ProofTest, NothingToDeliverProvesNothingAndTakesNothingBack) {
  Begin({{.cores = {0}}});
  Deliver();
  const uint64_t id = Put({.cores = {0}, .config = "2"});
  Advance(seconds(60));
  EXPECT_EQ(Operation(id).state, State::kSucceeded);
  EXPECT_THAT(Operation(id).reason, HasSubstr("not proven"));
  EXPECT_EQ(ConfigOn(kMain, 0), "2");
}

TEST_F(ProofTest, ADestinationThatFailedBeforeSaysNothingOfTheChange) {
  Begin({{.cores = {0}}});
  Refuse();
  const uint64_t id = Put({.cores = {0}, .config = "2"});
  Refuse(0, true);
  Advance(minutes(2));
  EXPECT_EQ(Operation(id).state, State::kSucceeded);
  EXPECT_EQ(ConfigOn(kMain, 0), "2");
}

TEST_F(ProofTest, AnExporterThatHasNotChangedIsBlamedForPermanentRefusalsOnly) {
  for (const bool is_permanent : {false, true}) {
    SupervisorHarness other(&simulated_, [this](auto by) { simulated_.Advance(by); });
    other.Begin({{.cores = {0}}});
    other.host.Tell(&other.supervisor, other.host.RunningOn(kMain, 0), 1, 0, simulated_);
    auto plan = std::make_shared<PipelinePlan>(*Plan({.cores = {0}}));
    plan->policies = "others";
    ASSERT_TRUE(other.supervisor.Put(kMain, plan, {}).ok());
    other.Settle();
    other.host.Tell(&other.supervisor, other.host.RunningOn(kMain, 0), 0, 3, simulated_,
                    is_permanent ? 3 : 0);
    other.Settle();
    other.Advance(seconds(60));
    EXPECT_EQ(other.LastOperation(kMain).state,
              is_permanent ? State::kRolledBack : State::kSucceeded);
  }
}

TEST_F(ProofTest, AnotherOperationDoesNotWaitForTheProof) {
  Begin({{.cores = {0}}});
  Deliver();
  const uint64_t first = Put({.cores = {0}, .config = "2"});
  Refuse();
  const uint64_t second = Put({.cores = {0}, .config = "3"});
  EXPECT_EQ(Operation(first).state, State::kSucceeded);
  EXPECT_THAT(Operation(first).reason, HasSubstr("not proven"));
  Deliver();
  EXPECT_EQ(Operation(second).state, State::kSucceeded);
  Advance(minutes(2));
  EXPECT_EQ(ConfigOn(kMain, 0), "3");
}

TEST_F(ProofTest, AShutdownEndsTheProof) {
  Begin({{.cores = {0}}});
  Deliver();
  const uint64_t id = Put({.cores = {0}, .config = "2"});
  Refuse();
  supervisor.Shutdown("SIGTERM");
  Settle();
  EXPECT_EQ(Operation(id).state, State::kSucceeded);
  EXPECT_TRUE(supervisor.is_done());
}

TEST_F(ProofTest, AGenerationThatFailsWhileItIsProvenIsTakenBack) {
  Begin({{.cores = {0}}});
  Deliver();
  const uint64_t id = Put({.cores = {0}, .config = "2"});
  Fail(kMain, 0, "broken pipe");
  EXPECT_EQ(Operation(id).state, State::kRolledBack);
  EXPECT_EQ(ConfigOn(kMain, 0), "1");
}

TEST_F(ProofTest, TheStatusNamesDestinationsThatFail) {
  Begin({{.cores = {0, 1}}});
  Deliver(0);
  Refuse(1);
  const runtime::WallTime begin = simulated_.WallNow();
  Advance(minutes(10));
  const PipelineStatus status = StatusOf(kMain);
  ASSERT_THAT(status.failing, SizeIs(1));
  EXPECT_EQ(status.failing[0].node, "sink");
  EXPECT_EQ(status.failing[0].core, 1);
  EXPECT_EQ(status.failing[0].since, begin);
  EXPECT_EQ(status.failing[0].reason, "refused by the sink");
  EXPECT_TRUE(status.is_ready);
  EXPECT_TRUE(status.is_live);
  Deliver(1);
  EXPECT_THAT(StatusOf(kMain).failing, IsEmpty());
}

TEST_F(ProofTest, ItIsNotReadyOnceADestinationHasFailedForSoLong) {
  ConfigurationPtr configuration = Configured({.cores = {0}});
  auto plan = std::make_shared<PipelinePlan>(*configuration->plan);
  plan->pipeline.policies.health.unready_after = minutes(5);
  configuration->plan = plan;
  supervisor.Begin({configuration});
  Settle();
  Refuse();
  Advance(minutes(5) - seconds(1));
  EXPECT_TRUE(StatusOf(kMain).is_ready);
  Advance(seconds(1));
  EXPECT_FALSE(StatusOf(kMain).is_ready);
  EXPECT_TRUE(StatusOf(kMain).is_live);
  Deliver();
  EXPECT_TRUE(StatusOf(kMain).is_ready);
}

TEST_F(ProofTest, AReloadRollsOutWhatHasChangedAndNothingElse) {
  Begin({{.key = kMain, .cores = {0}}, {.key = kOther, .cores = {1}}});
  const InstanceId other = host.RunningOn(kOther, 1);
  const PipelineKey added = {"default", "added"};
  supervisor.Reload({Plan({.key = kMain, .cores = {0}, .config = "2"}),
                     Plan({.key = kOther, .cores = {1}}), Plan({.key = added, .cores = {2}})},
                    {});
  Settle();
  EXPECT_EQ(ConfigOn(kMain, 0), "2");
  EXPECT_EQ(host.RunningOn(kOther, 1), other);
  EXPECT_THAT(StatusOf(kOther).operations, IsEmpty());
  EXPECT_NE(host.RunningOn(added, 2), 0U);
  supervisor.Reload({Plan({.key = kMain, .cores = {0}, .config = "2"})}, {kOther});
  Settle();
  EXPECT_TRUE(supervisor.Pipeline(kOther).status().IsKeyError());
  EXPECT_EQ(ConfigOn(kMain, 0), "2");
  EXPECT_THAT(StatusOf(kMain).operations, SizeIs(1));
}

TEST_F(ProofTest, WhatHasEndedDoesNotBeginAgainWithAReload) {
  Begin({{.cores = {0}}});
  host.End(&supervisor, host.RunningOn(kMain, 0));
  supervisor.Reload({Plan({.cores = {0}})}, {});
  Settle();
  EXPECT_EQ(host.RunningOn(kMain, 0), 0U);
  EXPECT_THAT(StatusOf(kMain).operations, IsEmpty());
}

}  // namespace
}  // namespace df::controller
