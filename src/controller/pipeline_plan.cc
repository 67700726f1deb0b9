#include "controller/pipeline_plan.h"

#include <algorithm>

namespace df::controller {
namespace {

bool HaveSamePorts(const engine::CheckedNode& from, const engine::CheckedNode& to) {
  return from.default_port == to.default_port &&
         std::equal(from.ports.begin(), from.ports.end(), to.ports.begin(), to.ports.end(),
                    [](const engine::CheckedPort& left, const engine::CheckedPort& right) {
                      return left.name == right.name && left.strategy == right.strategy &&
                             left.destinations == right.destinations;
                    });
}

bool HaveSameGraph(const engine::CheckedPipeline& from, const engine::CheckedPipeline& to) {
  return std::equal(from.nodes.begin(), from.nodes.end(), to.nodes.begin(), to.nodes.end(),
                    [](const engine::CheckedNode& left, const engine::CheckedNode& right) {
                      return left.name == right.name && left.descriptor == right.descriptor &&
                             HaveSamePorts(left, right);
                    });
}

}  // namespace

std::string_view Name(RolloutAction action) {
  switch (action) {
    case RolloutAction::kCreate:
      return "create";
    case RolloutAction::kNoop:
      return "noop";
    case RolloutAction::kApplyInPlace:
      return "apply_in_place";
    case RolloutAction::kResize:
      return "resize";
    case RolloutAction::kReplace:
      return "replace";
  }
  return "replace";
}

std::vector<size_t> ChangedNodes(const PipelinePlan& from, const PipelinePlan& to) {
  std::vector<size_t> changed;
  for (size_t i = 0; i < to.node_configs.size(); ++i) {
    if (from.node_configs[i] != to.node_configs[i]) {
      changed.push_back(i);
    }
  }
  return changed;
}

RolloutAction Compare(const PipelinePlan& from, const PipelinePlan& to) {
  if (!HaveSameGraph(from.pipeline, to.pipeline) || from.policies != to.policies) {
    return RolloutAction::kReplace;
  }
  const bool has_same_cores = from.pipeline.cores == to.pipeline.cores;
  const std::vector<size_t> changed = ChangedNodes(from, to);
  if (changed.empty()) {
    return has_same_cores ? RolloutAction::kNoop : RolloutAction::kResize;
  }
  const bool all_apply = std::all_of(changed.begin(), changed.end(), [&](size_t node) {
    const engine::CheckedNode& after = to.pipeline.nodes[node];
    const engine::NodeDescriptor& descriptor = *after.descriptor;
    return descriptor.applies_config &&
           (descriptor.can_apply == nullptr ||
            descriptor.can_apply(*from.pipeline.nodes[node].config, *after.config));
  });
  return all_apply && has_same_cores ? RolloutAction::kApplyInPlace : RolloutAction::kReplace;
}

}  // namespace df::controller
