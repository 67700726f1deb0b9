// The processors of the product as simulations use them.
#pragma once

#include <random>

#include "engine/node_registry.h"
#include "sim/plan.h"

namespace df::sim {

/// Draws one of the processors that `registry` has, with its ports and configuration, and adds what
/// it may do to the plan. Returns false when there is none.
bool DrawRealNode(const engine::NodeRegistry& registry, std::mt19937_64& random, PlanNode* node,
                  Plan* plan);

/// Whether a node sends every batch to all of its ports, instead of choosing one.
bool SendsToAllPorts(const PlanNode& node);

}  // namespace df::sim
