// How a supervisor gets a pipeline from one configuration to another, and back.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "controller/supervisor.h"

namespace df::controller {

using enum config::InstancePhase;

namespace {

constexpr size_t kMaxOlder = 16;

bool Contains(const std::vector<int>& cores, int core) {
  return std::find(cores.begin(), cores.end(), core) != cores.end();
}

}  // namespace

void Supervisor::BeginRollout(PipelineRecord* record, const ConfigurationPtr& target,
                              RolloutAction action, const RolloutOptions& options) {
  if (action == RolloutAction::kNoop) {
    EndOperation(record, OperationStatus::State::kSucceeded);
    return;
  }
  Rollout rollout;
  rollout.target = target;
  rollout.previous = action == RolloutAction::kCreate ? nullptr : record->current;
  rollout.options = options;
  rollout.generation = ++record->generation;
  rollout.was_stopped = std::exchange(record->is_stopped, false);
  record->active->rollout = std::move(rollout);
  if (action == RolloutAction::kCreate || action == RolloutAction::kReplace) {
    SetState(record, OperationStatus::State::kPending);
    Prepare(record, target, options.step_timeout);
    return;
  }
  target->shared = record->current->shared;
  target->reports = record->current->reports;
  if (action == RolloutAction::kApplyInPlace) {
    BeginInPlace(record);
    return;
  }
  PlanSteps(record);
  AdvanceRollout(record);
}

void Supervisor::PlanSteps(PipelineRecord* record) {
  SetState(record, OperationStatus::State::kRunning);
  Rollout& rollout = *record->active->rollout;
  const std::vector<int>& cores = rollout.target->plan->pipeline.cores;
  const bool is_resize =
      rollout.previous != nullptr && rollout.previous->reports == rollout.target->reports;
  const auto add = [&](Step::Kind kind, int core) {
    Step step;
    step.kind = kind;
    step.core = core;
    rollout.steps.push_back(step);
  };
  for (const int core : cores) {
    if (!record->slots.contains(core)) {
      add(Step::Kind::kAdd, core);
    }
  }
  for (const auto& [core, slot] : record->slots) {
    if (Contains(cores, core) && !is_resize) {
      add(Step::Kind::kReplace, core);
    }
  }
  for (const auto& [core, slot] : record->slots) {
    if (!Contains(cores, core)) {
      add(Step::Kind::kRemove, core);
    }
  }
}

Step* Supervisor::FindStep(PipelineRecord* record, int core) {
  if (!record->active.has_value() || !record->active->rollout.has_value()) {
    return nullptr;
  }
  for (Step& step : record->active->rollout->steps) {
    if (step.core == core) {
      return &step;
    }
  }
  return nullptr;
}

void Supervisor::AdvanceRollout(PipelineRecord* record) {
  // Cores that are new start together, and before anything else is touched; then the others one
  // after the other, so that all but one serve.
  bool is_waiting = false;
  for (Step& step : record->active->rollout->steps) {
    if (step.state == Step::State::kDone) {
      continue;
    }
    if (is_waiting && step.kind != Step::Kind::kAdd) {
      return;
    }
    if (step.state == Step::State::kWaiting) {
      BeginStep(record, &step);
    }
    is_waiting = is_waiting || step.state != Step::State::kDone;
  }
  const std::vector<Step>& steps = record->active->rollout->steps;
  if (std::all_of(steps.begin(), steps.end(),
                  [](const Step& step) { return step.state == Step::State::kDone; })) {
    BeginProof(record);
  }
}

void Supervisor::BeginStep(PipelineRecord* record, Step* step) {
  if (step->kind == Step::Kind::kRemove) {
    BeginRemoveStep(record, step);
  } else {
    BeginStartStep(record, step);
  }
}

void Supervisor::BeginStartStep(PipelineRecord* record, Step* step) {
  Rollout& rollout = *record->active->rollout;
  Slot* slot = nullptr;
  if (const auto found = record->slots.find(step->core); found != record->slots.end()) {
    slot = &found->second;
    slot->restart_at.reset();
    step->phase_before = slot->phase;
  } else {
    slot = AddSlot(record, step->core);
  }
  if (slot->serving == 0 || slot->phase != kRunning) {
    SetPhase(slot, kStarting);
  } else {
    SetPhase(slot, rollout.is_rolling_back ? kRollingBack : kUpdating);
  }
  step->state = Step::State::kStarting;
  step->deadline = clock_.Now() + rollout.options.step_timeout;
  step->waits_for =
      StartIn(record, slot, rollout.goal(), Role::kSuccessor, rollout.generation, false);
}

void Supervisor::BeginRemoveStep(PipelineRecord* record, Step* step) {
  const auto found = record->slots.find(step->core);
  if (found == record->slots.end() || found->second.serving == 0) {
    EndDrainOfStep(record, step);
    return;
  }
  const RolloutOptions& options = record->active->rollout->options;
  found->second.restart_at.reset();
  SetPhase(&found->second, kDraining);
  step->state = Step::State::kDraining;
  step->waits_for = found->second.serving;
  step->deadline = clock_.Now() + options.drain_timeout + kJoinGrace;
  DrainOne(step->waits_for, options.drain_timeout);
}

void Supervisor::EndDrainOfStep(PipelineRecord* record, Step* step) {
  step->state = Step::State::kDone;
  step->deadline.reset();
  step->waits_for = 0;
  if (step->kind == Step::Kind::kRemove) {
    record->slots.erase(step->core);
  }
}

void Supervisor::OnSuccessorStarted(PipelineRecord* record, Slot* slot, InstanceId id) {
  Step* step = FindStep(record, slot->core);
  const Rollout& rollout = *record->active->rollout;
  const InstanceId old = slot->serving;
  slot->serving = id;
  slot->generation = rollout.generation;
  slot->configuration = rollout.goal();
  slot->streak.Reset();
  slot->was_forced = false;
  instances_.at(id).role = Role::kServing;
  SetPhase(slot, kRunning);
  if (old != 0) {
    Leave(old);
    step->state = Step::State::kDraining;
    step->waits_for = old;
    step->deadline = clock_.Now() + rollout.options.drain_timeout + kJoinGrace;
    DrainOne(old, rollout.options.drain_timeout);
    return;
  }
  EndDrainOfStep(record, step);
  AdvanceRollout(record);
}

bool Supervisor::OnServingFailedInRollout(PipelineRecord* record, Slot* slot,
                                          const std::string& reason) {
  Step* step = FindStep(record, slot->core);
  if (step == nullptr || step->state == Step::State::kWaiting) {
    return false;
  }
  if (step->state == Step::State::kStarting) {
    // Its successor is on the way. Should that fail, the slot is recovered then.
    SetPhase(slot, kStarting, reason);
    return true;
  }
  if (record->active->rollout->is_rolling_back || step->kind == Step::Kind::kRemove) {
    return false;
  }
  SetPhase(slot, kFailed, reason);
  BeginRollback(record, fmt::format("core {}: {}", slot->core, reason));
  return true;
}

void Supervisor::GiveUpSuccessor(PipelineRecord* record, Slot* slot, const Step& step,
                                 const std::string& reason) {
  if (instances_.contains(step.waits_for)) {
    Leave(step.waits_for);
    DrainOne(step.waits_for, std::chrono::nanoseconds(0));
  }
  if (slot->serving != 0) {
    const bool is_running = instances_.at(slot->serving).running_since.has_value();
    SetPhase(slot, is_running ? kRunning : kStarting);
    return;
  }
  if (slot->configuration == nullptr) {
    record->slots.erase(slot->core);
    return;
  }
  if (step.phase_before == kStopped || step.phase_before == kRejected) {
    SetPhase(slot, step.phase_before, reason);
    return;
  }
  // What was to be replaced has failed meanwhile, or had failed before.
  if (record->active->rollout->is_rolling_back) {
    slot->configuration = record->active->rollout->previous;
  }
  Instance lost;
  lost.record = record;
  lost.core = slot->core;
  Recover(lost, slot, slot->reason.empty() ? reason : slot->reason);
}

void Supervisor::FailStep(PipelineRecord* record, Step* step, const std::string& reason) {
  Rollout& rollout = *record->active->rollout;
  const std::string full = fmt::format("core {}: {}", step->core, reason);
  if (!rollout.is_rolling_back) {
    BeginRollback(record, full);
    return;
  }
  rollout.has_rollback_failed = true;
  rollout.failure += fmt::format("; taking it back, {}", full);
  GiveUpSuccessor(record, &record->slots.at(step->core), *step, reason);
  step->state = Step::State::kDone;
  step->deadline.reset();
  AdvanceRollout(record);
}

void Supervisor::TakeBack(PipelineRecord* record, const Step& step, std::vector<Step>* undo) {
  if (step.state == Step::State::kWaiting) {
    return;
  }
  if (step.state == Step::State::kStarting) {
    GiveUpSuccessor(record, &record->slots.at(step.core), step, record->active->rollout->failure);
    return;
  }
  Step back;
  back.core = step.core;
  switch (step.kind) {
    case Step::Kind::kAdd:
      back.kind = Step::Kind::kRemove;
      break;
    case Step::Kind::kReplace:
      back.kind = Step::Kind::kReplace;
      break;
    case Step::Kind::kRemove:
      back.kind = Step::Kind::kAdd;
      if (step.state == Step::State::kDraining) {
        Leave(step.waits_for);
        record->slots.erase(step.core);
      }
      break;
  }
  undo->push_back(back);
}

void Supervisor::BeginRollback(PipelineRecord* record, const std::string& reason) {
  Rollout& rollout = *record->active->rollout;
  LogWarning("{}/{}: operation {} is taken back: {}", record->key.group, record->key.pipeline,
             record->operations.back().id, reason);
  rollout.failure = reason;
  rollout.is_proving = false;
  record->proof.reset();
  SetState(record, OperationStatus::State::kRollingBack);
  const std::vector<Step> done = std::exchange(rollout.steps, {});
  std::vector<Step> undo;
  for (auto step = done.rbegin(); step != done.rend(); ++step) {
    TakeBack(record, *step, &undo);
  }
  // New cores of the way back first, as on the way there.
  std::stable_sort(undo.begin(), undo.end(),
                   [](const Step& left, const Step& right) { return left.kind < right.kind; });
  rollout.steps = std::move(undo);
  rollout.is_rolling_back = true;
  rollout.generation = ++record->generation;
  AdvanceRollout(record);
}

void Supervisor::Commit(PipelineRecord* record, const ConfigurationPtr& configuration) {
  // A configuration that shares its reports with the one before it is the same for the summary.
  if (record->current != nullptr && record->current->reports != configuration->reports) {
    record->older.push_back(record->current);
    if (record->older.size() > kMaxOlder) {
      record->older.erase(record->older.begin());
    }
  }
  record->current = configuration;
}

void Supervisor::FinishRollout(PipelineRecord* record) {
  const Rollout rollout = *record->active->rollout;
  if (!rollout.is_rolling_back) {
    for (auto& [core, slot] : record->slots) {
      slot.configuration = rollout.target;
    }
    Commit(record, rollout.target);
    EndOperation(record, OperationStatus::State::kSucceeded,
                 std::string(record->active->success_reason));
    return;
  }
  EndOperation(record,
               rollout.has_rollback_failed ? OperationStatus::State::kRollbackFailed
                                           : OperationStatus::State::kRolledBack,
               rollout.failure);
  record->is_stopped = rollout.was_stopped;
  if (rollout.previous == nullptr) {
    RemoveRecord(record);
  }
}

void Supervisor::CheckStepDeadlines(PipelineRecord* record, runtime::SteadyTime now) {
  if (!record->active.has_value() || !record->active->rollout.has_value()) {
    return;
  }
  for (Step& step : record->active->rollout->steps) {
    if (!step.deadline.has_value() || *step.deadline > now) {
      continue;
    }
    if (step.state == Step::State::kStarting) {
      FailStep(record, &step, "was not running in time");
    } else {
      // It is left to end when it can. Whoever wants the process to end waits no longer than that.
      LogError("{}/{}: core {}: an instance does not end", record->key.group, record->key.pipeline,
               step.core);
      if (step.kind == Step::Kind::kRemove) {
        Leave(step.waits_for);
      }
      EndDrainOfStep(record, &step);
      AdvanceRollout(record);
    }
    return;  // the steps may be others now
  }
}

void Supervisor::BeginInPlace(PipelineRecord* record) {
  const Rollout& rollout = *record->active->rollout;
  InPlaceChange change;
  change.nodes = ChangedNodes(*rollout.previous->plan, *rollout.target->plan);
  record->active->in_place = std::move(change);
  record->active->deadline = clock_.Now() + rollout.options.step_timeout;
  SendInPlace(record);
}

void Supervisor::SendInPlace(PipelineRecord* record) {
  InPlaceChange& change = *record->active->in_place;
  for (const auto& [core, slot] : record->slots) {
    if (slot.serving != 0) {
      change.waiting.insert(slot.serving);
      host_.ApplyConfig(core, slot.serving, record->active->rollout->goal(), change.nodes);
    }
  }
  if (change.waiting.empty()) {
    FinishInPlace(record);
  }
}

void Supervisor::OnApplied(InstanceId id, const Status& status) {
  for (const auto& record : records_) {
    if (!record->active.has_value() || !record->active->in_place.has_value() ||
        record->active->in_place->waiting.erase(id) == 0) {
      continue;
    }
    Rollout& rollout = *record->active->rollout;
    // An instance that has ended meanwhile is started again with what is decided here.
    if (!status.ok() && instances_.contains(id)) {
      rollout.failure += rollout.failure.empty() ? "" : "; ";
      rollout.failure += status.message();
      rollout.has_rollback_failed = rollout.is_rolling_back;
    }
    if (record->active->in_place->waiting.empty()) {
      FinishInPlace(record.get());
    }
    return;
  }
}

void Supervisor::FinishInPlace(PipelineRecord* record) {
  Rollout& rollout = *record->active->rollout;
  if (!rollout.failure.empty() && !rollout.is_rolling_back) {
    rollout.is_rolling_back = true;
    SetState(record, OperationStatus::State::kRollingBack);
    SendInPlace(record);
    return;
  }
  if (!rollout.is_rolling_back) {
    for (auto& [core, slot] : record->slots) {
      slot.generation = rollout.generation;
    }
  }
  FinishRollout(record);
}

}  // namespace df::controller
