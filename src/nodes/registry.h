// All nodes that are built in.
#pragma once

#include <span>

#include "engine/node_registry.h"

namespace df::nodes {

/// Returns the descriptor of every folder under nodes/, by kind and name.
std::span<const engine::NodeDescriptor* const> AllDescriptors();

}  // namespace df::nodes
