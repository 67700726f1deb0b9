// A supervisor under test: plans, a host without threads, and time that a test moves.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "controller/fake_host.h"
#include "controller/supervisor.h"

namespace df::controller {

inline const engine::NodeDescriptor kFixed = {.urn = "urn:otel:exporter:fixed",
                                              .kind = engine::NodeKind::kExporter};
inline const engine::NodeDescriptor kApplies = {.urn = "urn:otel:exporter:applies",
                                                .kind = engine::NodeKind::kExporter,
                                                .applies_config = true};

inline const PipelineKey kMain = {"default", "main"};
inline const PipelineKey kOther = {"default", "other"};

struct Shape {
  PipelineKey key = kMain;
  std::vector<int> cores = {0, 1};
  std::string config = "1";
  const engine::NodeDescriptor* descriptor = &kFixed;
  int64_t max_restarts = 3;
  bool recovers = true;
};

inline PipelinePlanPtr Plan(const Shape& shape) {
  auto plan = std::make_shared<PipelinePlan>();
  plan->pipeline.group = shape.key.group;
  plan->pipeline.name = shape.key.pipeline;
  plan->pipeline.cores = shape.cores;
  plan->pipeline.policies.runtime_recovery.max_restarts = shape.max_restarts;
  plan->pipeline.policies.runtime_recovery.enabled = shape.recovers;
  engine::CheckedNode node;
  node.name = "sink";
  node.descriptor = shape.descriptor;
  plan->pipeline.nodes.push_back(std::move(node));
  plan->node_configs = {shape.config};
  return plan;
}

inline ConfigurationPtr Configured(const Shape& shape) {
  auto configuration = std::make_shared<Configuration>();
  configuration->plan = Plan(shape);
  return configuration;
}

/// A supervisor with its host. Nothing happens but in its methods.
class SupervisorHarness {
 public:
  /// `clock` is borrowed; `advance` moves it.
  SupervisorHarness(const runtime::Clock* clock,
                    std::function<void(std::chrono::nanoseconds)> advance,
                    Supervisor::Options options = {.seed = 7})
      : supervisor(options, clock, &host), clock_(*clock), advance_(std::move(advance)) {}

  void Begin(const std::vector<Shape>& shapes) {
    std::vector<ConfigurationPtr> configurations;
    for (const Shape& shape : shapes) {
      configurations.push_back(Configured(shape));
    }
    supervisor.Begin(std::move(configurations));
    Settle();
  }

  void Settle() {
    while (host.Step(&supervisor)) {
      after_step();
    }
  }

  void Advance(std::chrono::nanoseconds duration) {
    advance_(duration);
    supervisor.OnTime();
    Settle();
  }

  /// Moves time to when the supervisor next has something to do. Returns how long that was.
  std::chrono::nanoseconds AdvanceToDeadline() {
    const std::chrono::nanoseconds wait = *supervisor.NextDeadline() - clock_.Now();
    Advance(wait);
    return wait;
  }

  void Fail(const PipelineKey& key, int core, const std::string& error = "broken") {
    host.End(&supervisor, host.RunningOn(key, core), error);
    Settle();
  }

  PipelineStatus StatusOf(const PipelineKey& key) const {
    return supervisor.Pipeline(key).ValueOrDie();
  }
  config::InstancePhase PhaseOf(const PipelineKey& key, size_t index) const {
    return StatusOf(key).instances.at(index).phase;
  }
  OperationStatus LastOperation(const PipelineKey& key) const {
    return StatusOf(key).operations.back();
  }
  std::string ConfigOn(const PipelineKey& key, int core) const {
    return host.alive.at(host.RunningOn(key, core)).configuration->plan->node_configs[0];
  }

  FakeHost host;
  std::function<void()> after_step = [] {};  ///< after each call that the host carries out
  Supervisor supervisor;

 private:
  const runtime::Clock& clock_;
  std::function<void(std::chrono::nanoseconds)> advance_;
};

}  // namespace df::controller
