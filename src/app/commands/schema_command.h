// `df_engine schema` and `df_engine schemas`.
#pragma once

#include <string>
#include <vector>

#include "engine/node_registry.h"
#include "lake/catalog/footer_cache.h"

namespace df::app {

/// Writes the JSON Schema of v1 documents with the nodes of the program to standard output. Returns
/// the exit code.
int SchemaCommand(const engine::NodeRegistry& registry);

/// Writes which schemas the tables of the trees in a cache of footers have had to standard output.
/// Returns the exit code.
int SchemasCommand(const std::string& directory);

/// Returns that text: a line a tree, a schema below it, and what changed below that.
std::string DescribeSchemas(const std::vector<lake::FooterCache::TreeSchemas>& trees);

}  // namespace df::app
