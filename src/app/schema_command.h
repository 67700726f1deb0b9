// `df_engine schema`.
#pragma once

#include "engine/node_registry.h"

namespace df::app {

/// Writes the JSON Schema of v1 documents with the nodes of the program to standard output. Returns
/// the exit code.
int SchemaCommand(const engine::NodeRegistry& registry);

}  // namespace df::app
