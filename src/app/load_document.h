// From the flags of the command line to what may be started.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/document_source.h"
#include "config/environment.h"
#include "engine/checked_engine.h"
#include "engine/node_registry.h"

namespace df::app {

/// What the command line says about the document.
struct DocumentFlags {
  std::string source;                  ///< of -c: a path, file:, yaml: or env:
  std::vector<std::string> overrides;  ///< of --set, in their order
  /// Of --num-cores (0: all) or --core-id-range; replaces the allocation of the top scope. Empty:
  /// the document decides.
  std::optional<config::CoreAllocation> core_allocation;
  std::string http_admin_bind;  ///< of --http-admin-bind; empty: the document decides
};

/// Reads, changes and checks the document. Opens no file but that of the source, starts nothing.
/// `read`, where given, becomes the text of the source and its name.
/// Errors: config with every problem on a line of its own, where the document is wrong; Invalid or
/// IOError where there is none.
Result<engine::CheckedEngine> LoadDocument(const DocumentFlags& flags,
                                           const engine::NodeRegistry& registry,
                                           const engine::EngineContext& context,
                                           const config::Environment& environment,
                                           config::DocumentText* read = nullptr);

/// The allocation that --num-cores N stands for: 0 is all cores.
config::CoreAllocation AllocationOfCount(int num_cores);
/// The allocation that --core-id-range IDS stands for.
config::CoreAllocation AllocationOfIds(const std::vector<int>& cores);

}  // namespace df::app
