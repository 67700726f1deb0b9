#include "controller/supervisor.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/logging.h"

namespace df::controller {

using enum config::InstancePhase;

namespace {

constexpr size_t kMaxRecovered = 16;
constexpr size_t kMaxLeft = 256;

std::string Join(const std::vector<std::string>& errors) {
  return fmt::format("{}", fmt::join(errors, "; "));
}

int64_t Milliseconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

template <typename T>
void KeepLast(std::vector<T>* values, size_t max) {
  if (values->size() > max) {
    values->erase(values->begin(), values->end() - static_cast<std::ptrdiff_t>(max));
  }
}

}  // namespace

Supervisor::Supervisor(Options options, const runtime::Clock* clock, InstanceHost* host)
    : options_(options), clock_(*clock), host_(*host) {}

void Supervisor::Begin(std::vector<ConfigurationPtr> configurations) {
  for (ConfigurationPtr& configuration : configurations) {
    auto record = std::make_unique<PipelineRecord>();
    record->key = configuration->plan->key();
    record->generation = 1;
    for (const int core : configuration->plan->pipeline.cores) {
      AddSlot(record.get(), core)->configuration = configuration;
    }
    record->current = std::move(configuration);
    records_.push_back(std::move(record));
  }
  if (is_draining_) {
    return;  // asked for before anything ran
  }
  for (const auto& record : records_) {
    for (auto& [core, slot] : record->slots) {
      slot.generation = 1;
      StartServing(record.get(), &slot, false);
    }
  }
}

Slot* Supervisor::AddSlot(PipelineRecord* record, int core) {
  Slot slot(options_.seed + ++last_slot_);
  slot.core = core;
  const auto is_taken = [&](int index) {
    return std::any_of(record->slots.begin(), record->slots.end(),
                       [&](const auto& entry) { return entry.second.index == index; });
  };
  while (is_taken(slot.index)) {
    ++slot.index;
  }
  slot.since = clock_.WallNow();
  return &record->slots.insert_or_assign(core, std::move(slot)).first->second;
}

void Supervisor::SetPhase(Slot* slot, config::InstancePhase phase, std::string reason) {
  if (slot->phase != phase) {
    slot->since = clock_.WallNow();
  }
  slot->phase = phase;
  slot->reason = std::move(reason);
}

InstanceId Supervisor::StartIn(PipelineRecord* record, Slot* slot,
                               const ConfigurationPtr& configuration, Role role,
                               uint64_t generation, bool is_restart) {
  const InstanceId id = ++last_instance_;
  const config::RuntimeRecoveryPolicy& policy =
      configuration->plan->pipeline.policies.runtime_recovery;
  Instance instance;
  instance.record = record;
  instance.core = slot->core;
  instance.index = slot->index;
  instance.role = role;
  instance.generation = generation;
  instance.configuration = configuration;
  instance.is_restart = is_restart;
  if (role == Role::kServing) {
    instance.start_deadline = clock_.Now() + policy.startup_timeout;
  }
  instances_.emplace(id, std::move(instance));
  InstanceOrder order;
  order.id = id;
  order.core = slot->core;
  order.instance_index = slot->index;
  order.num_instances = static_cast<int>(configuration->plan->pipeline.cores.size());
  order.configuration = configuration;
  host_.StartInstance(order);
  return id;
}

void Supervisor::StartServing(PipelineRecord* record, Slot* slot, bool is_restart) {
  slot->restart_at.reset();
  slot->was_forced = false;
  SetPhase(slot, kStarting);
  slot->serving =
      StartIn(record, slot, slot->configuration, Role::kServing, slot->generation, is_restart);
}

void Supervisor::DrainOne(InstanceId id, std::chrono::nanoseconds timeout) {
  const auto found = instances_.find(id);
  if (found == instances_.end()) {
    return;
  }
  found->second.is_draining = true;
  found->second.start_deadline.reset();
  host_.DrainInstance(found->second.core, id, timeout);
}

void Supervisor::Leave(InstanceId id) {
  const auto found = instances_.find(id);
  if (found != instances_.end()) {
    found->second.role = Role::kLeaving;
  }
}

Slot* Supervisor::SlotOf(const Instance& instance) {
  const auto found = instance.record->slots.find(instance.core);
  return found == instance.record->slots.end() ? nullptr : &found->second;
}

void Supervisor::OnStarted(InstanceId id) {
  const auto found = instances_.find(id);
  if (found == instances_.end()) {
    return;
  }
  Instance& instance = found->second;
  instance.running_since = clock_.Now();
  instance.start_deadline.reset();
  PipelineRecord* record = instance.record;
  Slot* slot = SlotOf(instance);
  if (instance.role == Role::kSuccessor) {
    OnSuccessorStarted(record, slot, id);
  } else if (instance.role == Role::kServing && !instance.is_draining) {
    SetPhase(slot, kRunning);
    CheckOperation(record, id, false, {});
  }
}

void Supervisor::KeepResult(const Instance& instance, engine::InstanceResult* result) {
  instance.configuration->reports->Add(instance.index, std::move(result->reports));
  PipelineRecord* record = instance.record;
  record->num_abandoned += result->num_abandoned;
  NotePredecessor(record, result->destinations);
  for (engine::EdgeLeft& edge : result->left) {
    LogWarning("{}/{}: core {}: left at node '{}': {} batches waiting, {} not sent, {} unanswered",
               record->key.group, record->key.pipeline, instance.core, edge.node, edge.num_batches,
               edge.num_senders, edge.num_unanswered);
    record->left.push_back({instance.core, std::move(edge)});
  }
  KeepLast(&record->left, kMaxLeft);
}

void Supervisor::OnEnded(InstanceId id, engine::InstanceResult result) {
  auto node = instances_.extract(id);
  if (node.empty()) {
    return;
  }
  const Instance& instance = node.mapped();
  PipelineRecord* record = instance.record;
  KeepResult(instance, &result);
  if (instance.is_late && result.errors.empty()) {
    result.errors.push_back("was not running in time");
  }
  const std::string failure = Join(result.errors);
  Slot* slot = SlotOf(instance);
  if (instance.role == Role::kServing) {
    slot->serving = 0;
    OnServingEnded(instance, slot, result);
  } else if (instance.role == Role::kSuccessor) {
    FailStep(record, FindStep(record, instance.core),
             failure.empty() ? "ended before it was running" : failure);
  } else if (!failure.empty() && is_draining_) {
    record->lost_errors.push_back(failure);
  }
  CheckOperation(record, id, true, failure);
  if (record->active.has_value() && record->active->rollout.has_value()) {
    Step* step = FindStep(record, instance.core);
    if (step != nullptr && step->state == Step::State::kDraining && step->waits_for == id) {
      EndDrainOfStep(record, step);
      AdvanceRollout(record);
    }
  }
}

void Supervisor::OnServingEnded(const Instance& instance, Slot* slot,
                                const engine::InstanceResult& result) {
  slot->was_forced = result.was_forced;
  if (instance.is_draining && !instance.is_late) {
    OnDrained(slot, result);
    return;
  }
  if (result.errors.empty()) {
    SetPhase(slot, kStopped, "its receivers were done");
    return;
  }
  const std::string reason = Join(result.errors);
  if (is_draining_) {
    SetPhase(slot, kFailed, reason);
    return;
  }
  if (OnServingFailedInRollout(instance.record, slot, reason)) {
    return;
  }
  if (!instance.running_since.has_value() && !instance.is_restart) {
    LogError("{}/{}: core {}: cannot be started: {}", instance.record->key.group,
             instance.record->key.pipeline, slot->core, reason);
    SetPhase(slot, kRejected, reason);
    return;
  }
  if (result.is_permanent) {
    LogError("{}/{}: core {}: permanent error, not restarting: {}", instance.record->key.group,
             instance.record->key.pipeline, slot->core, reason);
    SetPhase(slot, kFailed, reason);
    return;
  }
  Recover(instance, slot, reason);
}

void Supervisor::OnDrained(Slot* slot, const engine::InstanceResult& result) {
  const std::string failure = Join(result.errors);
  // What a node could not do while it was told to end is a failure of the process only when that
  // ends as well; a pipeline that somebody has stopped is stopped.
  if (!failure.empty() && is_draining_) {
    SetPhase(slot, kFailed, failure);
    return;
  }
  SetPhase(slot, kStopped,
           !failure.empty() ? failure : std::string(result.was_forced ? "ended by force" : ""));
}

void Supervisor::Recover(const Instance& instance, Slot* slot, const std::string& reason) {
  PipelineRecord* record = instance.record;
  std::optional<std::chrono::nanoseconds> ran_for;
  if (instance.running_since.has_value()) {
    ran_for = clock_.Now() - *instance.running_since;
  }
  const auto delay = slot->streak.OnFailure(
      slot->configuration->plan->pipeline.policies.runtime_recovery, ran_for);
  SetPhase(slot, kFailed, reason);
  if (!delay.has_value()) {
    LogError("{}/{}: core {}: failed for good after {} restarts: {}", record->key.group,
             record->key.pipeline, slot->core, slot->num_restarts, reason);
    return;
  }
  slot->restart_at = clock_.Now() + *delay;
  record->recovered.push_back(reason);
  KeepLast(&record->recovered, kMaxRecovered);
  LogWarning("{}/{}: core {}: failed, is started again in {} ms: {}", record->key.group,
             record->key.pipeline, slot->core, Milliseconds(*delay), reason);
}

void Supervisor::RestartDue(PipelineRecord* record, runtime::SteadyTime now) {
  // Until a change in place is decided, it is open with which configuration to start.
  if (record->active.has_value() && record->active->in_place.has_value()) {
    return;
  }
  for (auto& [core, slot] : record->slots) {
    if (slot.restart_at.has_value() && *slot.restart_at <= now) {
      ++slot.num_restarts;
      slot.generation = ++record->generation;
      host_.CountRestart(record->key, core, slot.index);
      StartServing(record, &slot, true);
    }
  }
}

void Supervisor::CheckStartDeadlines(runtime::SteadyTime now) {
  std::vector<InstanceId> late;
  for (const auto& [id, instance] : instances_) {
    if (instance.start_deadline.has_value() && *instance.start_deadline <= now) {
      late.push_back(id);
    }
  }
  std::sort(late.begin(), late.end());
  for (const InstanceId id : late) {
    Instance& instance = instances_.at(id);
    instance.is_late = true;
    SetPhase(SlotOf(instance), kFailed, "was not running in time");
    DrainOne(id, std::chrono::nanoseconds(0));
  }
}

void Supervisor::OnTime() {
  const runtime::SteadyTime now = clock_.Now();
  if (join_deadline_.has_value() && *join_deadline_ <= now) {
    join_deadline_.reset();
    host_.EndProcess(fmt::format("{} instances do not end", instances_.size()));
  }
  CheckStartDeadlines(now);
  for (size_t i = 0; i < records_.size(); ++i) {
    RestartDue(records_[i].get(), now);
    CheckStepDeadlines(records_[i].get(), now);
    CheckOperationDeadline(records_[i].get(), now);
    CheckProof(records_[i].get(), now);
  }
}

std::optional<runtime::SteadyTime> Supervisor::NextDeadline() const {
  std::optional<runtime::SteadyTime> next = join_deadline_;
  const auto consider = [&](const std::optional<runtime::SteadyTime>& deadline) {
    if (deadline.has_value() && (!next.has_value() || *deadline < *next)) {
      next = deadline;
    }
  };
  for (const auto& [id, instance] : instances_) {
    consider(instance.start_deadline);
  }
  for (const auto& record : records_) {
    const bool is_in_place = record->active.has_value() && record->active->in_place.has_value();
    for (const auto& [core, slot] : record->slots) {
      if (!is_in_place) {
        consider(slot.restart_at);
      }
    }
    if (record->proof.has_value()) {
      consider(record->proof->deadline);
    }
    if (record->active.has_value()) {
      consider(record->active->deadline);
      if (record->active->rollout.has_value()) {
        for (const Step& step : record->active->rollout->steps) {
          consider(step.deadline);
        }
      }
    }
  }
  return next;
}

void Supervisor::Shutdown(std::string_view reason) {
  if (is_draining_) {
    return;
  }
  is_draining_ = true;
  shutdown_reason_ = reason;
  LogInfo("{}: draining", reason);
  std::chrono::nanoseconds longest{0};
  for (const auto& record : records_) {
    DropProof(record.get());
    if (record->active.has_value()) {
      EndOperation(record.get(), OperationStatus::State::kFailed, "the engine is shutting down");
    }
    for (auto& [core, slot] : record->slots) {
      slot.restart_at.reset();
      if (slot.serving != 0) {
        SetPhase(&slot, kDraining);
      } else if (slot.phase == kPending || slot.phase == kStarting || slot.phase == kUpdating ||
                 slot.phase == kRollingBack) {
        SetPhase(&slot, kStopped);
      }
    }
  }
  std::vector<InstanceId> ids;
  for (auto& [id, instance] : instances_) {
    instance.role = instance.role == Role::kSuccessor ? Role::kLeaving : instance.role;
    ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  for (const InstanceId id : ids) {
    const auto timeout =
        instances_.at(id).configuration->plan->pipeline.policies.shutdown.drain_timeout;
    longest = std::max(longest, timeout);
    DrainOne(id, timeout);
  }
  join_deadline_ = clock_.Now() + longest + kJoinGrace;
}

bool Supervisor::is_done() const {
  if (!instances_.empty()) {
    return false;
  }
  if (is_draining_) {
    return true;
  }
  bool has_pipelines = false;
  for (const auto& record : records_) {
    if (record->active.has_value() || (options_.stays_up && record->is_stopped)) {
      return false;
    }
    has_pipelines = has_pipelines || !record->is_deleted;
    for (const auto& [core, slot] : record->slots) {
      if (slot.restart_at.has_value()) {
        return false;
      }
    }
  }
  // With everything deleted, an engine that can be told things waits for the next pipeline.
  return has_pipelines || !options_.stays_up;
}

}  // namespace df::controller
