// `df_engine --print-config`.
#pragma once

#include "engine/checked_engine.h"
#include "engine/node_registry.h"

namespace df::app {

/// Writes the effective document in v1 form to standard output, secrets replaced. Returns the exit
/// code.
int PrintConfig(const engine::CheckedEngine& engine, const engine::NodeRegistry& registry);

}  // namespace df::app
