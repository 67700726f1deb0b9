// A pipeline as the controller runs it, and what it takes to get from one plan to another.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "controller/control_plane.h"
#include "engine/graph.h"

namespace df::controller {

/// What is to run. Shape: `pipeline.cores` is not empty.
struct PipelinePlan {
  engine::CheckedPipeline pipeline;
  /// One text a node, in the order of the pipeline: equal for equal configurations.
  std::vector<std::string> node_configs;
  std::string policies;  ///< a text, equal for equal policies
  std::string document;  ///< the pipeline as JSON, with secrets replaced

  PipelineKey key() const { return {pipeline.group, pipeline.name}; }
};
using PipelinePlanPtr = std::shared_ptr<const PipelinePlan>;

enum class RolloutAction : uint8_t {
  kCreate,
  kNoop,          ///< nothing has changed
  kApplyInPlace,  ///< only configurations that their nodes take while they run
  kResize,        ///< only the cores
  kReplace,       ///< everything else: core by core
};

/// Returns the name of an action as statuses write it: "apply_in_place".
std::string_view Name(RolloutAction action);

/// Tells what leads from one plan to another; never kCreate.
RolloutAction Compare(const PipelinePlan& from, const PipelinePlan& to);

/// Returns the nodes whose configuration differs. The plans must have the same nodes.
std::vector<size_t> ChangedNodes(const PipelinePlan& from, const PipelinePlan& to);

}  // namespace df::controller
