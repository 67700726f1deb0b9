#include <algorithm>
#include <cstdlib>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/supervisor_harness.h"
#include "testing/simulated_clock.h"

namespace df::controller {
namespace {

using enum config::InstancePhase;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using State = OperationStatus::State;

class RolloutTest : public ::testing::Test, public SupervisorHarness {
 protected:
  RolloutTest() : SupervisorHarness(&simulated_, [this](auto by) { simulated_.Advance(by); }) {}

  /// Changes the pipeline and carries everything out. Returns how it ended.
  OperationStatus Change(const Shape& shape) {
    const uint64_t id = supervisor.Put(shape.key, Plan(shape), {}).ValueOrDie().id;
    Settle();
    return supervisor.Operation(shape.key, id).ValueOrDie();
  }

  /// Cores on which an instance runs that has not been told to end, as the status has it. What the
  /// status says is compared with what really runs.
  int64_t NumServing(const PipelineKey& key) {
    int64_t count = 0;
    for (const InstanceStatus& instance : StatusOf(key).instances) {
      if (instance.phase == kRunning || instance.phase == kUpdating ||
          instance.phase == kRollingBack) {
        EXPECT_NE(host.RunningOn(key, *instance.core), 0U);
        ++count;
      }
    }
    return count;
  }

  std::string Describe(const PipelineKey& key) {
    const OperationStatus operation = LastOperation(key);
    std::string text =
        fmt::format("{} state={}:", operation.action, static_cast<int>(operation.state));
    for (const InstanceStatus& instance : StatusOf(key).instances) {
      text += fmt::format(" core {} phase {} ({})", *instance.core,
                          static_cast<int>(instance.phase), instance.reason);
    }
    return text;
  }

 private:
  testing::SimulatedClock simulated_;
};

TEST_F(RolloutTest, ANewPipelineStartsOnAllItsCoresAtOnce) {
  Begin({});
  ASSERT_TRUE(supervisor.Put(kMain, Plan({.cores = {0, 1, 2}}), {}).ok());
  EXPECT_EQ(LastOperation(kMain).state, State::kPending);
  host.Step(&supervisor);
  EXPECT_THAT(host.alive, SizeIs(3));
  EXPECT_FALSE(StatusOf(kMain).is_ready);
  Settle();
  EXPECT_EQ(LastOperation(kMain).state, State::kSucceeded);
  EXPECT_EQ(LastOperation(kMain).action, "create");
  EXPECT_TRUE(StatusOf(kMain).is_ready);
}

TEST_F(RolloutTest, ANewPipelineThatFailsOnOneCoreIsTakenBack) {
  Begin({});
  host.start_error = [](const InstanceOrder& order) { return order.core == 1 ? "no path" : ""; };
  const OperationStatus status = Change({.cores = {0, 1, 2}});
  EXPECT_EQ(status.state, State::kRolledBack);
  EXPECT_THAT(status.reason, HasSubstr("no path"));
  EXPECT_TRUE(supervisor.Pipeline(kMain).status().IsKeyError());
  EXPECT_THAT(host.alive, IsEmpty());
  host.start_error = [](const auto&) { return ""; };
  EXPECT_EQ(Change({}).state, State::kSucceeded);
}

TEST_F(RolloutTest, WhatCannotBePreparedIsNotStarted) {
  Begin({{.cores = {0}}});
  host.prepare_status = Status::IOError("no lake");
  const OperationStatus status = Change({.cores = {0}, .config = "2"});
  EXPECT_EQ(status.state, State::kFailed);
  EXPECT_EQ(status.reason, "no lake");
  EXPECT_EQ(ConfigOn(kMain, 0), "1");
  EXPECT_TRUE(StatusOf(kMain).is_ready);
}

TEST_F(RolloutTest, NothingHappensWhenNothingHasChanged) {
  Begin({{}});
  const InstanceId before = host.RunningOn(kMain, 0);
  EXPECT_EQ(Change({}).action, "noop");
  EXPECT_EQ(host.RunningOn(kMain, 0), before);
}

TEST_F(RolloutTest, AReplacementRunsBeforeWhatItReplacesDrains) {
  Begin({{.cores = {0}}});
  const InstanceId old = host.RunningOn(kMain, 0);
  ASSERT_TRUE(supervisor.Put(kMain, Plan({.cores = {0}, .config = "2"}), {}).ok());
  host.Step(&supervisor);  // prepares
  EXPECT_EQ(PhaseOf(kMain, 0), kUpdating);
  EXPECT_TRUE(StatusOf(kMain).is_ready);
  EXPECT_THAT(host.draining, IsEmpty());
  host.is_stubborn = true;
  Settle();
  EXPECT_THAT(host.draining, ElementsAre(old));
  EXPECT_TRUE(StatusOf(kMain).is_ready);
  EXPECT_EQ(LastOperation(kMain).state, State::kRunning);
  host.End(&supervisor, old);
  EXPECT_EQ(LastOperation(kMain).state, State::kSucceeded);
  EXPECT_EQ(LastOperation(kMain).action, "replace");
  EXPECT_EQ(StatusOf(kMain).instances[0].generation, 2U);
  EXPECT_EQ(ConfigOn(kMain, 0), "2");
}

TEST_F(RolloutTest, CoresAreReplacedOneAfterTheOther) {
  Begin({{.cores = {0, 1, 2}}});
  after_step = [&] {
    EXPECT_LE(host.alive.size(), 4U);
    EXPECT_EQ(NumServing(kMain), 3);
  };
  EXPECT_EQ(Change({.cores = {0, 1, 2}, .config = "2"}).state, State::kSucceeded);
  EXPECT_EQ(ConfigOn(kMain, 2), "2");
}

TEST_F(RolloutTest, AFailureOnTheLastCoreBringsTheFirstOnesBack) {
  Begin({{.cores = {0, 1, 2}}});
  host.start_error = [](const InstanceOrder& order) {
    return order.core == 2 && order.configuration->plan->node_configs[0] == "2" ? "no path" : "";
  };
  after_step = [&] { EXPECT_EQ(NumServing(kMain), 3); };
  const OperationStatus status = Change({.cores = {0, 1, 2}, .config = "2"});
  EXPECT_EQ(status.state, State::kRolledBack);
  EXPECT_EQ(status.reason, "core 2: no path");
  for (const int core : {0, 1, 2}) {
    EXPECT_EQ(ConfigOn(kMain, core), "1");
    EXPECT_EQ(PhaseOf(kMain, static_cast<size_t>(core)), kRunning);
  }
  EXPECT_EQ(supervisor.Plans()[0]->node_configs[0], "1");
}

TEST_F(RolloutTest, AReplacementThatIsNotRunningInTimeIsTakenBack) {
  Begin({{.cores = {0}}});
  host.all_hang = true;
  RolloutOptions options;
  options.step_timeout = seconds(3);
  ASSERT_TRUE(supervisor.Put(kMain, Plan({.cores = {0}, .config = "2"}), options).ok());
  Settle();
  EXPECT_EQ(AdvanceToDeadline(), seconds(3));
  EXPECT_EQ(LastOperation(kMain).state, State::kRolledBack);
  EXPECT_TRUE(StatusOf(kMain).is_ready);
  EXPECT_THAT(host.alive, SizeIs(1));
}

TEST_F(RolloutTest, AReplacedInstanceThatFailsBeforeTheEndTakesTheRolloutBack) {
  Begin({{.cores = {0, 1}}});
  ASSERT_TRUE(supervisor.Put(kMain, Plan({.cores = {0, 1}, .config = "2"}), {}).ok());
  while (host.RunningOn(kMain, 0) == 0 || ConfigOn(kMain, 0) == "1") {
    ASSERT_TRUE(host.Step(&supervisor));
  }
  host.End(&supervisor, host.RunningOn(kMain, 0), "broken");
  Settle();
  EXPECT_EQ(LastOperation(kMain).state, State::kRolledBack);
  EXPECT_EQ(ConfigOn(kMain, 0), "1");
  EXPECT_EQ(ConfigOn(kMain, 1), "1");
}

TEST_F(RolloutTest, AFailingPredecessorIsStartedAgainWhenItsSuccessorFailsToo) {
  Begin({{.cores = {0}}});
  host.start_error = [](const InstanceOrder& order) {
    return order.configuration->plan->node_configs[0] == "2" ? "no path" : "";
  };
  ASSERT_TRUE(supervisor.Put(kMain, Plan({.cores = {0}, .config = "2"}), {}).ok());
  host.Step(&supervisor);
  host.End(&supervisor, host.RunningOn(kMain, 0), "broken");
  EXPECT_FALSE(StatusOf(kMain).is_ready);
  Settle();
  EXPECT_EQ(LastOperation(kMain).state, State::kRolledBack);
  AdvanceToDeadline();
  EXPECT_EQ(ConfigOn(kMain, 0), "1");
  EXPECT_TRUE(StatusOf(kMain).is_ready);
}

TEST_F(RolloutTest, OnlyTheDifferenceOfCoresIsTouched) {
  Begin({{.cores = {0, 1}}});
  const InstanceId kept = host.RunningOn(kMain, 1);
  EXPECT_EQ(Change({.cores = {1, 2}}).action, "resize");
  EXPECT_EQ(host.RunningOn(kMain, 1), kept);
  EXPECT_EQ(host.RunningOn(kMain, 0), 0U);
  EXPECT_NE(host.RunningOn(kMain, 2), 0U);
  EXPECT_EQ(LastOperation(kMain).state, State::kSucceeded);
  EXPECT_THAT(StatusOf(kMain).instances, SizeIs(2));
}

TEST_F(RolloutTest, ConfigurationsAreAppliedInPlace) {
  Begin({{.descriptor = &kApplies}});
  const InstanceId kept = host.RunningOn(kMain, 0);
  const OperationStatus status = Change({.config = "2", .descriptor = &kApplies});
  EXPECT_EQ(status.action, "apply_in_place");
  EXPECT_EQ(status.state, State::kSucceeded);
  EXPECT_EQ(host.RunningOn(kMain, 0), kept);
  EXPECT_EQ(supervisor.Plans()[0]->node_configs[0], "2");
  Fail(kMain, 0);
  AdvanceToDeadline();
  EXPECT_EQ(ConfigOn(kMain, 0), "2");
}

TEST_F(RolloutTest, ANodeThatRefusesInPlaceKeepsAllOthersAsTheyWere) {
  Begin({{.descriptor = &kApplies}});
  std::vector<std::string> applied;
  host.apply_status = [&](const FakeHost::Call& call) {
    const std::string& text = call.configuration->plan->node_configs[0];
    applied.push_back(fmt::format("{}:{}", call.order.core, text));
    return text == "2" && call.order.core == 1 ? Status::Invalid("no") : Status::OK();
  };
  const OperationStatus status = Change({.config = "2", .descriptor = &kApplies});
  EXPECT_EQ(status.state, State::kRolledBack);
  EXPECT_EQ(status.reason, "no");
  EXPECT_THAT(applied, ElementsAre("0:2", "1:2", "0:1", "1:1"));
  EXPECT_EQ(supervisor.Plans()[0]->node_configs[0], "1");
}

TEST_F(RolloutTest, AShutdownEndsARolloutAndEverythingItStarted) {
  Begin({{.cores = {0}}});
  ASSERT_TRUE(supervisor.Put(kMain, Plan({.cores = {0}, .config = "2"}), {}).ok());
  host.Step(&supervisor);
  supervisor.Shutdown("test");
  EXPECT_EQ(LastOperation(kMain).state, State::kFailed);
  Settle();
  EXPECT_TRUE(supervisor.is_done());
  EXPECT_EQ(supervisor.Summarize().outcome, Outcome::kClean);
}

TEST_F(RolloutTest, AStoppedPipelineThatIsPutIsStarted) {
  Begin({{.cores = {0}}});
  ASSERT_TRUE(supervisor.Stop(kMain, seconds(1)).ok());
  Settle();
  EXPECT_EQ(Change({.cores = {0}}).action, "replace");
  EXPECT_TRUE(StatusOf(kMain).is_ready);
}

TEST_F(RolloutTest, AStoppedPipelineStaysStoppedWhenItsNewFormDoesNotStart) {
  Begin({{.cores = {0}}});
  ASSERT_TRUE(supervisor.Stop(kMain, seconds(1)).ok());
  Settle();
  host.start_error = [](const InstanceOrder&) { return "no path"; };
  EXPECT_EQ(Change({.cores = {0}, .config = "2"}).state, State::kRolledBack);
  EXPECT_EQ(PhaseOf(kMain, 0), kStopped);
  EXPECT_FALSE(supervisor.NextDeadline().has_value());
}

TEST_F(RolloutTest, EarlierConfigurationsStayInTheSummary) {
  Begin({{.cores = {0}}});
  Change({.cores = {0}, .config = "2"});
  supervisor.Shutdown("test");
  Settle();
  const PipelineSummary summary = supervisor.Summarize().pipelines[0];
  ASSERT_THAT(summary.earlier, SizeIs(1));
  EXPECT_THAT(summary.earlier[0][0].report.lines, ElementsAre("ended"));
  EXPECT_THAT(summary.nodes[0].report.lines, ElementsAre("ended"));
}

std::vector<int> RandomCores(std::mt19937_64* random) {
  std::vector<int> cores;
  while (cores.empty()) {
    for (int core = 0; core < 4; ++core) {
      if ((*random)() % 2 == 0) {
        cores.push_back(core);
      }
    }
  }
  return cores;
}

/// Rollouts, refusals and hangs, in an order that the seed says. While instances start and end as
/// they are told, at every moment a core serves, and in the end what runs is what the status says.
TEST_F(RolloutTest, NoRolloutEverLeavesZeroReadyCores) {
  const char* given = std::getenv("DF_SEED");
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  SCOPED_TRACE(fmt::format("DF_SEED={}", seed));
  std::mt19937_64 random(seed);
  Begin({{}});
  int64_t num_rolled_back = 0;
  after_step = [&] { ASSERT_GE(NumServing(kMain), 1) << Describe(kMain); };
  for (int round = 0; round < 500; ++round) {
    const std::string config = std::to_string(random() % 3);
    const int bad_core = static_cast<int>(random() % 8);
    host.start_error = [&](const InstanceOrder& order) {
      return order.core == bad_core && order.configuration->plan->node_configs[0] == config
                 ? "no path"
                 : "";
    };
    const std::string before = supervisor.Plans()[0]->node_configs[0];
    const Shape shape{.cores = RandomCores(&random),
                      .config = config,
                      .descriptor = random() % 4 == 0 ? &kApplies : &kFixed};
    const OperationStatus status = Change(shape);
    ASSERT_FALSE(HasFailure()) << "round " << round;
    if (status.state == State::kRolledBack || status.state == State::kRollbackFailed) {
      ++num_rolled_back;
      ASSERT_EQ(supervisor.Plans()[0]->node_configs[0], before);
    } else {
      ASSERT_EQ(status.state, State::kSucceeded);
      ASSERT_EQ(supervisor.Plans()[0]->pipeline.cores, shape.cores);
    }
    host.start_error = [](const InstanceOrder&) { return ""; };
    while (supervisor.NextDeadline().has_value()) {
      AdvanceToDeadline();
    }
    std::set<int> cores;
    for (const InstanceStatus& instance : StatusOf(kMain).instances) {
      ASSERT_EQ(instance.phase, kRunning);
      cores.insert(*instance.core);
    }
    ASSERT_EQ(host.alive.size(), cores.size());
    const std::vector<int>& expected = supervisor.Plans()[0]->pipeline.cores;
    ASSERT_EQ(cores, std::set<int>(expected.begin(), expected.end()));
    for (const int core : cores) {
      ASSERT_EQ(ConfigOn(kMain, core), supervisor.Plans()[0]->node_configs[0]);
    }
  }
  EXPECT_GT(num_rolled_back, 10);
}

}  // namespace
}  // namespace df::controller
