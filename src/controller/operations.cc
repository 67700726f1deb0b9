// What a supervisor is asked for, other than rollouts, and what it answers.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "controller/health.h"
#include "controller/supervisor.h"

namespace df::controller {

using enum config::InstancePhase;

namespace {

constexpr size_t kMaxEndedOperations = 32;
constexpr std::ptrdiff_t kMaxDeletedPipelines = 32;

std::string FullName(const PipelineKey& key) {
  return fmt::format("{}/{}", key.group, key.pipeline);
}

}  // namespace

PipelineRecord* Supervisor::Find(const PipelineKey& key) const {
  for (const auto& record : records_) {
    if (record->key == key) {
      return record.get();
    }
  }
  return nullptr;
}

Result<PipelineRecord*> Supervisor::FindFree(const PipelineKey& key) {
  if (is_draining_) {
    return Status::Cancelled("the engine is shutting down");
  }
  PipelineRecord* record = Find(key);
  if (record == nullptr || record->is_deleted) {
    return Status::KeyError(fmt::format("there is no pipeline {}", FullName(key)));
  }
  DropProof(record);
  if (record->active.has_value()) {
    return Status::AlreadyExists(fmt::format("operation {} of pipeline {} is under way",
                                             record->operations.back().id, FullName(key)));
  }
  return record;
}

OperationStatus* Supervisor::BeginOperation(PipelineRecord* record, OperationStatus::Kind kind) {
  OperationStatus status;
  status.id = ++last_operation_;
  status.kind = kind;
  status.state = OperationStatus::State::kRunning;
  status.started = clock_.WallNow();
  status.updated = status.started;
  record->operations.push_back(std::move(status));
  record->active.emplace();
  return &record->operations.back();
}

void Supervisor::SetState(PipelineRecord* record, OperationStatus::State state) {
  record->operations.back().state = state;
  record->operations.back().updated = clock_.WallNow();
}

void Supervisor::EndOperation(PipelineRecord* record, OperationStatus::State state,
                              std::string reason) {
  SetState(record, state);
  OperationStatus& status = record->operations.back();
  status.reason = std::move(reason);
  record->active.reset();
  while (record->operations.size() > kMaxEndedOperations) {
    record->operations.pop_front();
  }
  if (state == OperationStatus::State::kSucceeded) {
    LogInfo("{}: operation {} has succeeded{}{}", FullName(record->key), status.id,
            status.reason.empty() ? "" : ": ", status.reason);
  } else {
    LogWarning("{}: operation {} has failed: {}", FullName(record->key), status.id, status.reason);
  }
}

void Supervisor::BeginDrain(PipelineRecord* record, std::chrono::nanoseconds drain_timeout,
                            config::InstancePhase phase) {
  record->is_stopped = true;
  for (auto& [core, slot] : record->slots) {
    slot.restart_at.reset();
    SetPhase(&slot, slot.serving != 0 ? phase : kStopped);
  }
  for (const auto& [id, instance] : instances_) {
    if (instance.record == record) {
      record->active->waits_for.insert(id);
    }
  }
  for (const InstanceId id : record->active->waits_for) {
    DrainOne(id, drain_timeout);
  }
  record->active->deadline = clock_.Now() + drain_timeout + kJoinGrace;
}

Result<OperationStatus> Supervisor::Stop(const PipelineKey& key,
                                         std::chrono::nanoseconds drain_timeout) {
  ARROW_ASSIGN_OR_RAISE(PipelineRecord* const record, FindFree(key));
  BeginOperation(record, OperationStatus::Kind::kStop);
  BeginDrain(record, drain_timeout, kDraining);
  CheckOperation(record, 0, true, {});
  return record->operations.back();
}

Result<OperationStatus> Supervisor::Delete(const PipelineKey& key,
                                           std::chrono::nanoseconds drain_timeout) {
  ARROW_ASSIGN_OR_RAISE(PipelineRecord* const record, FindFree(key));
  BeginOperation(record, OperationStatus::Kind::kDelete);
  BeginDrain(record, drain_timeout, kDeleting);
  CheckOperation(record, 0, true, {});
  return record->operations.back();
}

Result<OperationStatus> Supervisor::Start(const PipelineKey& key) {
  ARROW_ASSIGN_OR_RAISE(PipelineRecord* const record, FindFree(key));
  BeginOperation(record, OperationStatus::Kind::kStart);
  record->is_stopped = false;
  const bool has_serving = std::any_of(record->slots.begin(), record->slots.end(),
                                       [](const auto& entry) { return entry.second.serving != 0; });
  if (has_serving) {
    StartSlots(record, record->current);
    return record->operations.back();
  }
  // Nothing runs: it begins as when the process began, with nothing shared with what ran before.
  auto fresh = std::make_shared<Configuration>();
  fresh->plan = record->current->plan;
  Prepare(record, fresh, fresh->plan->pipeline.policies.runtime_recovery.startup_timeout);
  return record->operations.back();
}

void Supervisor::StartSlots(PipelineRecord* record, const ConfigurationPtr& configuration) {
  const uint64_t generation = ++record->generation;
  for (auto& [core, slot] : record->slots) {
    if (slot.serving == 0) {
      slot.configuration = configuration;
      slot.generation = generation;
      slot.streak.Reset();
      StartServing(record, &slot, false);
      record->active->waits_for.insert(slot.serving);
    }
  }
  CheckOperation(record, 0, true, {});
}

void Supervisor::Prepare(PipelineRecord* record, const ConfigurationPtr& configuration,
                         std::chrono::nanoseconds timeout) {
  record->active->prepared = configuration;
  record->active->deadline = clock_.Now() + timeout;
  host_.PrepareShared(record->operations.back().id, configuration);
}

void Supervisor::OnSharedMade(uint64_t operation, const Status& status) {
  const auto found = std::find_if(records_.begin(), records_.end(), [&](const auto& record) {
    return record->active.has_value() && record->operations.back().id == operation;
  });
  if (found == records_.end()) {
    return;  // given up by a shutdown
  }
  PipelineRecord* record = found->get();
  const ConfigurationPtr prepared = std::exchange(record->active->prepared, nullptr);
  record->active->deadline.reset();
  if (!status.ok()) {
    const std::optional<Rollout>& rollout = record->active->rollout;
    const bool is_new = rollout.has_value() && rollout->previous == nullptr;
    record->is_stopped = !rollout.has_value() || rollout->was_stopped;
    EndOperation(record, OperationStatus::State::kFailed, status.message());
    if (is_new) {
      RemoveRecord(record);
    }
    return;
  }
  if (record->active->rollout.has_value()) {
    PlanSteps(record);
    AdvanceRollout(record);
    return;
  }
  Commit(record, prepared);
  StartSlots(record, prepared);
}

void Supervisor::CheckOperation(PipelineRecord* record, InstanceId id, bool is_ended,
                                const std::string& failure) {
  if (!record->active.has_value() || record->active->rollout.has_value() ||
      record->active->in_place.has_value()) {
    return;
  }
  ActiveOperation& active = *record->active;
  const OperationStatus::Kind kind = record->operations.back().kind;
  if (kind == OperationStatus::Kind::kStart) {
    if (active.waits_for.erase(id) > 0 && is_ended && active.failure.empty()) {
      active.failure = failure;
    }
    if (active.waits_for.empty()) {
      const bool is_good = active.failure.empty();
      EndOperation(record,
                   is_good ? OperationStatus::State::kSucceeded : OperationStatus::State::kFailed,
                   active.failure);
    }
    return;
  }
  if (is_ended) {
    active.waits_for.erase(id);
  }
  if (!active.waits_for.empty()) {
    return;
  }
  const bool was_forced = std::any_of(record->slots.begin(), record->slots.end(),
                                      [](const auto& entry) { return entry.second.was_forced; });
  EndOperation(record, OperationStatus::State::kSucceeded, was_forced ? "ended by force" : "");
  if (kind == OperationStatus::Kind::kDelete) {
    RemoveRecord(record);
  }
}

void Supervisor::CheckOperationDeadline(PipelineRecord* record, runtime::SteadyTime now) {
  if (!record->active.has_value() || !record->active->deadline.has_value() ||
      *record->active->deadline > now) {
    return;
  }
  const ActiveOperation& active = *record->active;
  if (active.prepared != nullptr) {
    OnSharedMade(record->operations.back().id, Status::Cancelled("was not prepared in time"));
  } else if (active.in_place.has_value()) {
    EndOperation(record, OperationStatus::State::kRollbackFailed,
                 fmt::format("{} instances do not answer", active.in_place->waiting.size()));
  } else {
    EndOperation(record, OperationStatus::State::kFailed,
                 fmt::format("{} instances do not end", active.waits_for.size()));
  }
}

void Supervisor::RemoveRecord(PipelineRecord* record) {
  record->proof.reset();
  record->slots.clear();
  record->is_deleted = true;
  record->is_stopped = false;
  const bool has_instances =
      std::any_of(instances_.begin(), instances_.end(),
                  [&](const auto& entry) { return entry.second.record == record; });
  if (!has_instances) {
    host_.ForgetPipeline(record->key);
  }
}

void Supervisor::ForgetOldRecords() {
  const auto is_old = [&](const auto& record) {
    return record->is_deleted &&
           std::none_of(instances_.begin(), instances_.end(),
                        [&](const auto& entry) { return entry.second.record == record.get(); });
  };
  while (std::count_if(records_.begin(), records_.end(), is_old) >= kMaxDeletedPipelines) {
    records_.erase(std::find_if(records_.begin(), records_.end(), is_old));
  }
}

Result<OperationStatus> Supervisor::Put(const PipelineKey& key, PipelinePlanPtr plan,
                                        const RolloutOptions& options) {
  PipelineRecord* record = Find(key);
  if (record != nullptr && !record->is_deleted) {
    ARROW_ASSIGN_OR_RAISE(record, FindFree(key));
  } else if (is_draining_) {
    return Status::Cancelled("the engine is shutting down");
  } else if (record == nullptr) {
    ForgetOldRecords();
    records_.push_back(std::make_unique<PipelineRecord>());
    record = records_.back().get();
    record->key = key;
  }
  const bool is_new = record->is_deleted || record->current == nullptr;
  const bool is_running =
      !is_new && std::all_of(record->slots.begin(), record->slots.end(),
                             [](const auto& entry) { return entry.second.phase == kRunning; });
  RolloutAction action = is_new ? RolloutAction::kCreate : RolloutAction::kReplace;
  if (is_running) {
    action = Compare(*record->current->plan, *plan);
  }
  auto target = std::make_shared<Configuration>();
  target->plan = std::move(plan);
  record->is_deleted = false;
  BeginOperation(record, OperationStatus::Kind::kRollout)->action = Name(action);
  BeginRollout(record, target, action, options);
  return record->operations.back();
}

std::vector<ReloadChange> Supervisor::Reload(const std::vector<PipelinePlanPtr>& plans,
                                             const std::vector<PipelineKey>& removed) {
  std::vector<ReloadChange> changes;
  for (const PipelinePlanPtr& plan : plans) {
    const PipelineKey key = plan->key();
    const PipelineRecord* record = Find(key);
    // Also one that has ended: it does not begin again because others have changed.
    if (record != nullptr && !record->is_deleted && record->current != nullptr &&
        Compare(*record->current->plan, *plan) == RolloutAction::kNoop) {
      continue;
    }
    const Result<OperationStatus> put = Put(key, plan, {});
    if (!put.ok()) {
      LogError("{}: is not reloaded: {}", FullName(key), put.status().message());
    } else {
      LogInfo("{}: reloaded: operation {}, {}", FullName(key), put->id, put->action);
    }
    changes.push_back({key, put});
  }
  for (const PipelineKey& key : removed) {
    const PipelineRecord* record = Find(key);
    if (record == nullptr || record->is_deleted) {
      continue;
    }
    const auto timeout = record->current == nullptr
                             ? RolloutOptions().drain_timeout
                             : record->current->plan->pipeline.policies.shutdown.drain_timeout;
    const Result<OperationStatus> deleted = Delete(key, timeout);
    if (!deleted.ok()) {
      LogError("{}: stands no more in the document and is not removed: {}", FullName(key),
               deleted.status().message());
    } else {
      LogInfo("{}: stands no more in the document: operation {}, delete", FullName(key),
              deleted->id);
    }
    changes.push_back({key, deleted});
  }
  return changes;
}

Result<OperationStatus> Supervisor::Operation(const PipelineKey& key, uint64_t id) const {
  if (const PipelineRecord* record = Find(key)) {
    for (const OperationStatus& status : record->operations) {
      if (status.id == id) {
        return status;
      }
    }
  }
  return Status::KeyError(fmt::format("pipeline {} has no operation {}", FullName(key), id));
}

PipelineStatus Supervisor::StatusOf(const PipelineRecord& record) const {
  PipelineStatus status;
  status.key = record.key;
  status.generation = record.generation;
  std::vector<config::InstancePhase> phases;
  for (const auto& [core, slot] : record.slots) {
    phases.push_back(slot.phase);
    InstanceStatus instance;
    instance.instance_index = slot.index;
    instance.core = core;
    instance.phase = slot.phase;
    instance.generation = slot.generation;
    instance.num_restarts = slot.num_restarts;
    instance.reason = slot.reason;
    instance.since = slot.since;
    status.instances.push_back(std::move(instance));
  }
  const bool is_new = record.current == nullptr;
  status.phase = is_new && phases.empty() ? kPending : OverallPhase(phases);
  const Configuration* configuration = record.current.get();
  if (is_new && record.active.has_value() && record.active->rollout.has_value()) {
    configuration = record.active->rollout->target.get();
  }
  if (configuration != nullptr) {
    const config::HealthPolicy& health = configuration->plan->pipeline.policies.health;
    status.is_live = phases.empty() || HasQuorum(phases, health.live_if, health.live_quorum);
    status.failing = FailingOf(record);
    status.is_ready = !is_draining_ && HasQuorum(phases, health.ready_if, health.ready_quorum) &&
                      !HasFailedFor(status.failing, health.unready_after, clock_.WallNow());
  }
  status.operations.assign(record.operations.begin(), record.operations.end());
  return status;
}

std::vector<PipelineStatus> Supervisor::Pipelines() const {
  std::vector<PipelineStatus> statuses;
  for (const auto& record : records_) {
    if (!record->is_deleted) {
      statuses.push_back(StatusOf(*record));
    }
  }
  return statuses;
}

Result<PipelineStatus> Supervisor::Pipeline(const PipelineKey& key) const {
  const PipelineRecord* record = Find(key);
  if (record == nullptr || record->is_deleted) {
    return Status::KeyError(fmt::format("there is no pipeline {}", FullName(key)));
  }
  return StatusOf(*record);
}

std::vector<PipelinePlanPtr> Supervisor::Plans() const {
  std::vector<PipelinePlanPtr> plans;
  for (const auto& record : records_) {
    if (!record->is_deleted && record->current != nullptr) {
      plans.push_back(record->current->plan);
    }
  }
  return plans;
}

PipelineSummary Supervisor::SummaryOf(const PipelineRecord& record) const {
  PipelineSummary summary;
  summary.key = record.key;
  summary.errors = record.lost_errors;
  summary.recovered = record.recovered;
  summary.num_abandoned = record.num_abandoned;
  summary.left = record.left;
  bool was_forced = false;
  for (const auto& [core, slot] : record.slots) {
    summary.num_restarts += slot.num_restarts;
    was_forced = was_forced || slot.was_forced;
    if (slot.phase == kFailed || slot.phase == kRejected) {
      summary.errors.push_back(slot.reason);
    }
  }
  if (!summary.errors.empty()) {
    summary.outcome = Outcome::kFailed;
  } else if (was_forced) {
    summary.outcome = Outcome::kForced;
  }
  for (const ConfigurationPtr& older : record.older) {
    summary.earlier.push_back(older->reports->Summarize(older->plan->pipeline, older->shared));
  }
  if (record.current != nullptr) {
    summary.nodes =
        record.current->reports->Summarize(record.current->plan->pipeline, record.current->shared);
  }
  return summary;
}

RunResult Supervisor::Summarize() const {
  RunResult result;
  result.reason = shutdown_reason_;
  for (const auto& record : records_) {
    result.pipelines.push_back(SummaryOf(*record));
    result.outcome = std::max(result.outcome, result.pipelines.back().outcome);
  }
  return result;
}

}  // namespace df::controller
