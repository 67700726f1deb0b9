// What a supervisor knows of one pipeline.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/control_plane.h"
#include "controller/instance_host.h"
#include "controller/restart_streak.h"
#include "controller/run_result.h"

namespace df::controller {

/// The place of a pipeline on one core. Instances come and go in it.
struct Slot {
  explicit Slot(uint64_t seed) : streak(seed) {}

  int core = 0;
  int index = 0;  ///< of the instance; unique in its pipeline
  config::InstancePhase phase = config::InstancePhase::kPending;
  std::string reason;
  runtime::WallTime since;
  uint64_t generation = 0;
  int64_t num_restarts = 0;
  ConfigurationPtr configuration;  ///< of what runs here and of what is started here next
  InstanceId serving = 0;
  std::optional<runtime::SteadyTime> restart_at;
  RestartStreak streak;
  bool was_forced = false;  ///< the last instance
};

/// One core's part of a rollout.
struct Step {
  enum class Kind : uint8_t { kAdd, kReplace, kRemove };
  enum class State : uint8_t { kWaiting, kStarting, kDraining, kDone };
  Kind kind = Kind::kAdd;
  int core = 0;
  State state = State::kWaiting;
  config::InstancePhase phase_before = config::InstancePhase::kPending;  ///< of the slot
  InstanceId waits_for = 0;                     ///< kStarting: to run; kDraining: to end
  std::optional<runtime::SteadyTime> deadline;  ///< of what it waits for
};

/// What is known of the exporters of a generation that was replaced.
struct Predecessor {
  std::set<std::string> failing;  ///< those that did not deliver at their end
  bool was_busy = false;  ///< had an outcome within the time in which the next one is proven
};

/// A new generation that runs, and still has to show that it delivers.
struct Proof {
  ConfigurationPtr previous;  ///< to go back to
  RolloutOptions options;
  uint64_t generation = 0;
  Predecessor predecessor;
  runtime::SteadyTime deadline;
};

/// From one configuration to another, or back.
struct Rollout {
  ConfigurationPtr target;
  ConfigurationPtr previous;  ///< null for a new pipeline
  RolloutOptions options;
  uint64_t generation = 0;
  std::vector<Step> steps;
  bool is_rolling_back = false;
  bool has_rollback_failed = false;
  bool was_stopped = false;  ///< the pipeline, by an operation
  bool is_proving = false;   ///< all steps are done; the proof of the record decides
  std::string failure;
  Predecessor predecessor;

  const ConfigurationPtr& goal() const { return is_rolling_back ? previous : target; }
};

/// Configurations that nodes take while they run.
struct InPlaceChange {
  std::vector<size_t> nodes;
  std::set<InstanceId> waiting;  ///< have not answered
};

/// The operation that is under way; its status is the last of the pipeline's.
struct ActiveOperation {
  ConfigurationPtr prepared;  ///< kStart and rollouts: waits for what it shares
  std::optional<Rollout> rollout;
  std::optional<InPlaceChange> in_place;
  std::set<InstanceId> waits_for;               ///< kStop, kDelete: to end; kStart: to run
  std::optional<runtime::SteadyTime> deadline;  ///< of what it waits for, but for steps
  std::string failure;                          ///< kStart: the first one
  std::string success_reason;                   ///< of a rollout that succeeds
};

struct PipelineRecord {
  PipelineKey key;
  ConfigurationPtr current;             ///< null before a first rollout has succeeded
  std::vector<ConfigurationPtr> older;  ///< those before it; the last ones
  std::map<int, Slot> slots;            ///< by core
  uint64_t generation = 0;
  std::deque<OperationStatus> operations;
  std::optional<ActiveOperation> active;
  std::optional<Proof> proof;
  bool is_stopped = false;  ///< by an operation
  bool is_deleted = false;
  std::vector<std::string> recovered;
  std::vector<LeftOnCore> left;
  int64_t num_abandoned = 0;
  std::vector<std::string> lost_errors;  ///< failures of slots that are no more, at a shutdown
};

}  // namespace df::controller
