#include "app/load_document.h"

#include <utility>

#include "config/engine_document.h"

namespace df::app {
namespace {

/// The changes of the tree that other flags than --set stand for.
std::vector<std::string> OverridesOf(const DocumentFlags& flags) {
  std::vector<std::string> overrides = flags.overrides;
  if (!flags.http_admin_bind.empty()) {
    overrides.push_back("engine.http_admin.bind_address=\"" + flags.http_admin_bind + "\"");
  }
  return overrides;
}

}  // namespace

Result<engine::CheckedEngine> LoadDocument(const DocumentFlags& flags,
                                           const engine::NodeRegistry& registry,
                                           const engine::EngineContext& context,
                                           const config::Environment& environment,
                                           config::DocumentText* read) {
  ARROW_ASSIGN_OR_RAISE(const config::DocumentText text,
                        config::ReadSource(flags.source, environment));
  if (read != nullptr) {
    *read = text;
  }
  config::Problems problems(text.name);
  const config::ValuePtr root =
      config::ReadDocument(text, OverridesOf(flags), environment, &problems);
  if (root == nullptr) {
    return problems.ToStatus();
  }
  config::EngineDocument document = config::ReadEngineDocument(root, &problems);
  if (flags.core_allocation.has_value()) {
    document.policies.core_allocation = flags.core_allocation;
    document.policies.core_allocation_path.clear();
    document.ResolvePipelinePolicies();
  }
  auto engine = engine::CheckEngine(std::move(document), registry, context, &problems);
  ARROW_RETURN_NOT_OK(problems.ToStatus());
  return std::move(*engine);
}

config::CoreAllocation AllocationOfCount(int num_cores) {
  if (num_cores == 0) {
    return {.kind = config::CoreAllocation::Kind::kAllCores};
  }
  return {.kind = config::CoreAllocation::Kind::kCoreCount, .count = num_cores};
}

config::CoreAllocation AllocationOfIds(const std::vector<int>& cores) {
  config::CoreAllocation allocation{.kind = config::CoreAllocation::Kind::kCoreSet};
  for (const int core : cores) {
    allocation.set.push_back({core, core});
  }
  return allocation;
}

}  // namespace df::app
