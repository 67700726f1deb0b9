// Decides what runs: which instances are started, drained, restarted, replaced, and when all is
// over.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "controller/control_plane.h"
#include "controller/instance_host.h"
#include "controller/pipeline_record.h"
#include "controller/run_result.h"
#include "runtime/clock.h"

namespace df::controller {

/// How much longer than it may an instance, or a thread, may take to end before it is given up.
inline constexpr std::chrono::seconds kJoinGrace{2};

/// A state machine without threads: it is told what has happened and what is asked for, and tells
/// its host what to do. Calls: one at a time; whoever has several threads locks around it.
class Supervisor {
 public:
  struct Options {
    bool stays_up = false;  ///< what an operation has stopped keeps the process
    uint64_t seed = 0;      ///< of the jitter of restarts
  };

  /// `clock` and `host` are borrowed and outlive the supervisor.
  Supervisor(Options options, const runtime::Clock* clock, InstanceHost* host);

  /// Starts everything. An instance that cannot be started now is not started again.
  void Begin(std::vector<ConfigurationPtr> configurations);

  // What the host tells.
  void OnStarted(InstanceId id);
  void OnEnded(InstanceId id, engine::InstanceResult result);
  void OnApplied(InstanceId id, const Status& status);
  void OnDestination(InstanceId id, const engine::DestinationState& state);
  void OnSharedMade(uint64_t operation, const Status& status);
  /// Time has passed; nothing is done before NextDeadline.
  void OnTime();
  std::optional<runtime::SteadyTime> NextDeadline() const;

  // What is asked for; as in ControlPlane.
  Result<OperationStatus> Put(const PipelineKey& key, PipelinePlanPtr plan,
                              const RolloutOptions& options);
  Result<OperationStatus> Stop(const PipelineKey& key, std::chrono::nanoseconds drain_timeout);
  Result<OperationStatus> Start(const PipelineKey& key);
  Result<OperationStatus> Delete(const PipelineKey& key, std::chrono::nanoseconds drain_timeout);
  /// Puts the plans, and deletes the pipelines that are no more; those of which an operation is
  /// under way are left as they are, and named in the log. Returns what it has tried.
  std::vector<ReloadChange> Reload(const std::vector<PipelinePlanPtr>& plans,
                                   const std::vector<PipelineKey>& removed);
  Result<OperationStatus> Operation(const PipelineKey& key, uint64_t id) const;
  std::vector<PipelineStatus> Pipelines() const;
  Result<PipelineStatus> Pipeline(const PipelineKey& key) const;
  /// The plans that are in force.
  std::vector<PipelinePlanPtr> Plans() const;

  /// Drains everything; nothing happens when that is under way.
  void Shutdown(std::string_view reason);
  bool is_draining() const { return is_draining_; }

  /// Nothing runs and nothing will.
  bool is_done() const;

  /// How everything has ended. Errors, reports and what was left; the rest is the caller's.
  RunResult Summarize() const;

 private:
  enum class Role : uint8_t {
    kServing,
    kSuccessor,  ///< becomes the serving one when it runs
    kLeaving,    ///< was the serving one, or will never be; it only has to end
  };
  struct Instance {
    PipelineRecord* record = nullptr;
    int core = 0;
    int index = 0;
    Role role = Role::kServing;
    uint64_t generation = 0;
    ConfigurationPtr configuration;
    bool is_restart = false;
    bool is_draining = false;
    bool is_late = false;  ///< was not running in time, and was told to end
    std::optional<runtime::SteadyTime> start_deadline;
    std::optional<runtime::SteadyTime> running_since;
    std::map<std::string, engine::DestinationState> destinations;  ///< by node
  };

  // Instances and slots.
  InstanceId StartIn(PipelineRecord* record, Slot* slot, const ConfigurationPtr& configuration,
                     Role role, uint64_t generation, bool is_restart);
  void StartServing(PipelineRecord* record, Slot* slot, bool is_restart);
  void DrainOne(InstanceId id, std::chrono::nanoseconds timeout);
  void Leave(InstanceId id);
  void SetPhase(Slot* slot, config::InstancePhase phase, std::string reason = {});
  Slot* AddSlot(PipelineRecord* record, int core);
  Slot* SlotOf(const Instance& instance);
  void OnServingEnded(const Instance& instance, Slot* slot, const engine::InstanceResult& result);
  void OnDrained(Slot* slot, const engine::InstanceResult& result);
  void Recover(const Instance& instance, Slot* slot, const std::string& reason);
  void KeepResult(const Instance& instance, engine::InstanceResult* result);
  void CheckStartDeadlines(runtime::SteadyTime now);
  void RestartDue(PipelineRecord* record, runtime::SteadyTime now);

  // Whether a new generation delivers (proof.cc).
  void BeginProof(PipelineRecord* record);
  void CheckProof(PipelineRecord* record, runtime::SteadyTime now);
  void EndProof(PipelineRecord* record, const std::string& failure);
  /// Another operation comes: what is not disproved by now counts as proven.
  void DropProof(PipelineRecord* record);
  /// Why the generation that is being proven has to go; empty while it does not.
  std::string Disproof(const PipelineRecord& record) const;
  static bool IsProving(const PipelineRecord& record);
  bool HasDelivered(const PipelineRecord& record) const;
  void NotePredecessor(PipelineRecord* record, const std::vector<engine::DestinationState>& states);
  std::vector<FailingDestination> FailingOf(const PipelineRecord& record) const;

  // Operations (operations.cc).
  Result<PipelineRecord*> FindFree(const PipelineKey& key);
  PipelineRecord* Find(const PipelineKey& key) const;
  OperationStatus* BeginOperation(PipelineRecord* record, OperationStatus::Kind kind);
  void SetState(PipelineRecord* record, OperationStatus::State state);
  void EndOperation(PipelineRecord* record, OperationStatus::State state, std::string reason = {});
  void BeginDrain(PipelineRecord* record, std::chrono::nanoseconds drain_timeout,
                  config::InstancePhase phase);
  void Prepare(PipelineRecord* record, const ConfigurationPtr& configuration,
               std::chrono::nanoseconds timeout);
  void StartSlots(PipelineRecord* record, const ConfigurationPtr& configuration);
  void CheckOperation(PipelineRecord* record, InstanceId id, bool is_ended,
                      const std::string& failure);
  void CheckOperationDeadline(PipelineRecord* record, runtime::SteadyTime now);
  void RemoveRecord(PipelineRecord* record);
  void ForgetOldRecords();
  PipelineStatus StatusOf(const PipelineRecord& record) const;
  PipelineSummary SummaryOf(const PipelineRecord& record) const;

  // Rollouts (rollout.cc).
  void BeginRollout(PipelineRecord* record, const ConfigurationPtr& target, RolloutAction action,
                    const RolloutOptions& options);
  void PlanSteps(PipelineRecord* record);
  void AdvanceRollout(PipelineRecord* record);
  void BeginStep(PipelineRecord* record, Step* step);
  void BeginStartStep(PipelineRecord* record, Step* step);
  void BeginRemoveStep(PipelineRecord* record, Step* step);
  void OnSuccessorStarted(PipelineRecord* record, Slot* slot, InstanceId id);
  bool OnServingFailedInRollout(PipelineRecord* record, Slot* slot, const std::string& reason);
  void FailStep(PipelineRecord* record, Step* step, const std::string& reason);
  void BeginRollback(PipelineRecord* record, const std::string& reason);
  void TakeBack(PipelineRecord* record, const Step& step, std::vector<Step>* undo);
  void GiveUpSuccessor(PipelineRecord* record, Slot* slot, const Step& step,
                       const std::string& reason);
  void EndDrainOfStep(PipelineRecord* record, Step* step);
  void FinishRollout(PipelineRecord* record);
  void CheckStepDeadlines(PipelineRecord* record, runtime::SteadyTime now);
  Step* FindStep(PipelineRecord* record, int core);
  void Commit(PipelineRecord* record, const ConfigurationPtr& configuration);
  void BeginInPlace(PipelineRecord* record);
  void SendInPlace(PipelineRecord* record);
  void FinishInPlace(PipelineRecord* record);

  const Options options_;
  const runtime::Clock& clock_;
  InstanceHost& host_;
  std::vector<std::unique_ptr<PipelineRecord>> records_;  // in the order they were made
  std::unordered_map<InstanceId, Instance> instances_;
  InstanceId last_instance_ = 0;
  uint64_t last_operation_ = 0;
  uint64_t last_slot_ = 0;
  bool is_draining_ = false;
  std::string shutdown_reason_;
  std::optional<runtime::SteadyTime> join_deadline_;
};

}  // namespace df::controller
