// A host without threads, for tests of what a supervisor decides.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controller/supervisor.h"

namespace df::controller {

/// Takes orders and carries them out one at a time, when a test says so.
class FakeHost final : public InstanceHost {
 public:
  struct Call {
    enum class Kind : uint8_t { kStart, kDrain, kApply, kPrepare };
    Kind kind = Kind::kStart;
    InstanceId id = 0;  ///< of the instance, or of the operation
    InstanceOrder order;
    ConfigurationPtr configuration;
  };

  /// Says why an instance cannot be started; empty: it can.
  std::function<std::string(const InstanceOrder&)> start_error = [](const auto&) { return ""; };
  std::function<Status(const Call&)> apply_status = [](const auto&) { return Status::OK(); };
  Status prepare_status;
  bool all_hang = false;     ///< new instances never start
  bool is_stubborn = false;  ///< drained instances do not end
  std::deque<Call> calls;    ///< not carried out yet
  std::map<InstanceId, InstanceOrder> alive;
  std::set<InstanceId> running;   ///< of those
  std::set<InstanceId> draining;  ///< of those
  std::map<InstanceId, engine::DestinationState> destinations;
  std::vector<std::chrono::nanoseconds> drain_timeouts;
  std::vector<std::string> forced;
  std::vector<PipelineKey> forgotten;
  int64_t num_restarts = 0;

  void StartInstance(const InstanceOrder& order) override {
    alive.emplace(order.id, order);
    calls.push_back({Call::Kind::kStart, order.id, order, order.configuration});
  }
  void DrainInstance(int, InstanceId id, std::chrono::nanoseconds timeout) override {
    drain_timeouts.push_back(timeout);
    calls.push_back({Call::Kind::kDrain, id, {}, nullptr});
  }
  void ApplyConfig(int, InstanceId id, ConfigurationPtr configuration,
                   std::vector<size_t>) override {
    calls.push_back({Call::Kind::kApply, id, alive.at(id), std::move(configuration)});
  }
  void PrepareShared(uint64_t operation, ConfigurationPtr configuration) override {
    calls.push_back({Call::Kind::kPrepare, operation, {}, std::move(configuration)});
  }
  void CountRestart(const PipelineKey&, int, int) override { ++num_restarts; }
  void ForgetPipeline(const PipelineKey& key) override { forgotten.push_back(key); }
  void EndProcess(const std::string& why) override { forced.push_back(why); }

  /// Carries out the oldest call. Returns false when there was none.
  bool Step(Supervisor* supervisor) {
    if (calls.empty()) {
      return false;
    }
    const Call call = std::move(calls.front());
    calls.pop_front();
    switch (call.kind) {
      case Call::Kind::kStart:
        Start(supervisor, call);
        break;
      case Call::Kind::kDrain:
        if (alive.contains(call.id)) {
          draining.insert(call.id);
          if (!is_stubborn) {
            End(supervisor, call.id);
          }
        }
        break;
      case Call::Kind::kApply:
        Apply(supervisor, call);
        break;
      case Call::Kind::kPrepare:
        supervisor->OnSharedMade(call.id, prepare_status);
        break;
    }
    return true;
  }

  /// Ends an instance, with an error when there is one.
  void End(Supervisor* supervisor, InstanceId id, const std::string& error = {},
           bool is_permanent = false) {
    alive.erase(id);
    running.erase(id);
    draining.erase(id);
    engine::InstanceResult result;
    if (!error.empty()) {
      result.errors.push_back(error);
      result.is_permanent = is_permanent;
    }
    if (destinations.contains(id)) {
      result.destinations.push_back(destinations.at(id));
    }
    result.reports.push_back({.lines = {"ended"}, .num_problems = error.empty() ? 0 : 1});
    supervisor->OnEnded(id, std::move(result));
  }

  /// An exporter "sink" of an instance has had outcomes.
  void Tell(Supervisor* supervisor, InstanceId id, int64_t num_delivered, int64_t num_refused,
            const runtime::Clock& clock, int64_t num_permanent = 0) {
    engine::DestinationState& state = destinations[id];
    const bool is_failing = num_refused > 0;
    state.node = "sink";
    state.num_delivered += num_delivered;
    state.num_refused += num_refused;
    state.num_permanent += num_permanent;
    state.last_outcome = clock.Now();
    state.failing_since =
        is_failing ? std::optional(state.failing_since.value_or(clock.WallNow())) : std::nullopt;
    state.reason = is_failing ? "refused by the sink" : state.reason;
    supervisor->OnDestination(id, state);
  }

  /// Returns the running instance of a core; 0 when there is none. The newest one counts.
  InstanceId RunningOn(const PipelineKey& key, int core) const {
    InstanceId found = 0;
    for (const InstanceId id : running) {
      const InstanceOrder& order = alive.at(id);
      if (order.core == core && order.configuration->plan->key() == key) {
        found = id;
      }
    }
    return found;
  }

 private:
  void Apply(Supervisor* supervisor, const Call& call) {
    const auto found = alive.find(call.id);
    const Status status =
        found != alive.end() ? apply_status(call) : Status::Cancelled("the instance has ended");
    if (status.ok()) {
      found->second.configuration = call.configuration;
    }
    supervisor->OnApplied(call.id, status);
  }

  void Start(Supervisor* supervisor, const Call& call) {
    if (!alive.contains(call.id) || all_hang) {
      return;
    }
    const std::string error = start_error(call.order);
    if (!error.empty()) {
      End(supervisor, call.id, error);
      return;
    }
    running.insert(call.id);
    supervisor->OnStarted(call.id);
  }
};

}  // namespace df::controller
