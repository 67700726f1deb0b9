// What the nodes that are built in need of the machine and the network.
#pragma once

#include <span>

#include "engine/environment.h"

namespace df::nodes {

/// Returns one for every node that needs anything, by kind and name.
std::span<const engine::NodeEnvironment* const> AllEnvironments();

}  // namespace df::nodes
