// Whether a new generation delivers: it is watched for a while after it has taken over.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "controller/supervisor.h"

namespace df::controller {
namespace {

/// How one exporter of a generation does, over all its instances.
struct Tally {
  int64_t num_delivered = 0;
  int64_t num_refused = 0;
  int64_t num_permanent = 0;
  std::string reason;

  void Add(const engine::DestinationState& state) {
    num_delivered += state.num_delivered;
    num_refused += state.num_refused;
    num_permanent += state.num_permanent;
    reason = state.num_refused > 0 ? state.reason : reason;
  }
};

/// The configuration of a node as text; empty where there is no such node.
std::string ConfigOf(const PipelinePlan& plan, std::string_view node) {
  for (size_t i = 0; i < plan.pipeline.nodes.size() && i < plan.node_configs.size(); ++i) {
    if (plan.pipeline.nodes[i].name == node) {
      return fmt::format("{} {}", plan.pipeline.nodes[i].descriptor->urn, plan.node_configs[i]);
    }
  }
  return "";
}

}  // namespace

void Supervisor::OnDestination(InstanceId id, const engine::DestinationState& state) {
  const auto found = instances_.find(id);
  if (found == instances_.end()) {
    return;
  }
  found->second.destinations[state.node] = state;
  PipelineRecord* record = found->second.record;
  if (IsProving(*record) && HasDelivered(*record)) {
    FinishRollout(record);  // and the proof goes on for exporters that have been given nothing yet
  }
}

void Supervisor::NotePredecessor(PipelineRecord* record,
                                 const std::vector<engine::DestinationState>& states) {
  if (!record->active.has_value() || !record->active->rollout.has_value()) {
    return;
  }
  Rollout& rollout = *record->active->rollout;
  const runtime::SteadyTime now = clock_.Now();
  for (const engine::DestinationState& state : states) {
    if (state.failing_since.has_value()) {
      rollout.predecessor.failing.insert(state.node);
    }
    const bool has_outcome = state.num_delivered + state.num_refused > 0;
    rollout.predecessor.was_busy =
        rollout.predecessor.was_busy ||
        (has_outcome && now - state.last_outcome <= rollout.options.step_timeout);
  }
}

void Supervisor::BeginProof(PipelineRecord* record) {
  Rollout& rollout = *record->active->rollout;
  if (rollout.is_proving) {
    return;
  }
  const bool is_replaced = rollout.previous != nullptr &&
                           rollout.previous->reports != rollout.target->reports &&
                           !rollout.was_stopped;
  if (rollout.is_rolling_back || !is_replaced || !rollout.options.is_proven) {
    FinishRollout(record);
    return;
  }
  Proof proof;
  proof.previous = rollout.previous;
  proof.options = rollout.options;
  proof.generation = rollout.generation;
  proof.predecessor = rollout.predecessor;
  proof.deadline = clock_.Now() + rollout.options.step_timeout;
  record->proof = std::move(proof);
  if (rollout.predecessor.was_busy && !HasDelivered(*record)) {
    rollout.is_proving = true;  // and the operation goes on
    return;
  }
  // Where nothing came before it, perhaps nothing comes now: that is no reason to wait.
  FinishRollout(record);
}

bool Supervisor::IsProving(const PipelineRecord& record) {
  return record.active.has_value() && record.active->rollout.has_value() &&
         record.active->rollout->is_proving;
}

bool Supervisor::HasDelivered(const PipelineRecord& record) const {
  // Every exporter that was given something has delivered some of it, and one was given something.
  std::map<std::string, Tally> tallies;
  for (const auto& [id, instance] : instances_) {
    if (instance.record == &record && instance.generation >= record.proof->generation) {
      for (const auto& [node, state] : instance.destinations) {
        tallies[node].Add(state);
      }
    }
  }
  return !tallies.empty() && std::all_of(tallies.begin(), tallies.end(), [](const auto& entry) {
    return entry.second.num_delivered > 0;
  });
}

std::string Supervisor::Disproof(const PipelineRecord& record) const {
  std::map<std::string, Tally> tallies;
  const PipelinePlan* plan = nullptr;
  for (const auto& [id, instance] : instances_) {
    if (instance.record == &record && instance.generation >= record.proof->generation) {
      plan = instance.configuration->plan.get();
      for (const auto& [node, state] : instance.destinations) {
        tallies[node].Add(state);
      }
    }
  }
  for (const auto& [node, tally] : tallies) {
    const bool is_refusing = tally.num_delivered == 0 && tally.num_refused > 0 &&
                             !record.proof->predecessor.failing.contains(node);
    // A destination that is away for the moment is away for the configuration before as well.
    const bool is_changed = ConfigOf(*plan, node) != ConfigOf(*record.proof->previous->plan, node);
    if (is_refusing && (is_changed || tally.num_permanent > 0)) {
      return fmt::format("node '{}' has refused everything that it was given: {}", node,
                         tally.reason);
    }
  }
  return "";
}

void Supervisor::CheckProof(PipelineRecord* record, runtime::SteadyTime now) {
  if (record->proof.has_value() && record->proof->deadline <= now) {
    EndProof(record, Disproof(*record));
  }
}

void Supervisor::EndProof(PipelineRecord* record, const std::string& failure) {
  const Proof proof = *std::exchange(record->proof, std::nullopt);
  const bool is_waited_for = IsProving(*record);
  if (failure.empty()) {
    if (is_waited_for) {
      record->active->success_reason = "not proven: nothing was given to it in time";
      FinishRollout(record);
    }
    return;
  }
  // What it holds cannot be delivered by it: its senders hear so as soon as its own policy allows.
  const std::chrono::nanoseconds drain_timeout = std::min(
      proof.options.drain_timeout, proof.previous->plan->pipeline.policies.shutdown.drain_timeout);
  if (is_waited_for) {
    record->active->rollout->options.drain_timeout = drain_timeout;
    BeginRollback(record, failure);
    return;
  }
  // The operation has ended long ago: going back is one of its own.
  LogWarning("{}/{}: the change is taken back: {}", record->key.group, record->key.pipeline,
             failure);
  auto target = std::make_shared<Configuration>();
  target->plan = proof.previous->plan;
  RolloutOptions options = proof.options;
  options.is_proven = false;
  options.drain_timeout = drain_timeout;
  OperationStatus* status = BeginOperation(record, OperationStatus::Kind::kRollout);
  status->action = "take_back";
  BeginRollout(record, target, RolloutAction::kReplace, options);
  record->active->success_reason = failure;
}

void Supervisor::DropProof(PipelineRecord* record) {
  if (!record->proof.has_value()) {
    return;
  }
  const bool is_waited_for = IsProving(*record);
  record->proof.reset();
  if (is_waited_for) {
    record->active->success_reason = "not proven: nothing was delivered before the next operation";
    FinishRollout(record);
  }
}

std::vector<FailingDestination> Supervisor::FailingOf(const PipelineRecord& record) const {
  std::vector<FailingDestination> failing;
  for (const auto& [core, slot] : record.slots) {
    const auto found = instances_.find(slot.serving);
    if (found == instances_.end()) {
      continue;
    }
    for (const auto& [node, state] : found->second.destinations) {
      if (state.failing_since.has_value()) {
        failing.push_back({node, core, *state.failing_since, state.num_refused, state.reason});
      }
    }
  }
  return failing;
}

}  // namespace df::controller
