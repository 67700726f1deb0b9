#include "engine/checked_engine.h"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "config/core_placement.h"

namespace df::engine {
namespace {

config::CoreRequest RequestOf(const config::PipelineDocument& pipeline) {
  return {.allocation = pipeline.policies.core_allocation,
          .mark = pipeline.core_allocation_mark,
          .path = pipeline.core_allocation_path.empty() ? "core_allocation"
                                                        : pipeline.core_allocation_path};
}

/// Checks one pipeline for the cores that were found for it.
std::optional<CheckedPipeline> CheckOne(const config::PipelineDocument& document,
                                        std::vector<int> cores, const std::string& state_dir,
                                        const NodeRegistry& registry, config::Problems* problems) {
  // Without cores there is a problem already; the nodes are checked all the same.
  const int num_cores = cores.empty() ? 1 : static_cast<int>(cores.size());
  auto pipeline =
      CheckPipeline(document, registry, {.num_cores = num_cores, .state_dir = state_dir}, problems);
  if (pipeline.has_value()) {
    pipeline->cores = std::move(cores);
    pipeline->effective = EffectivePipeline(document, registry);
  }
  return pipeline;
}

}  // namespace

std::optional<CheckedEngine> CheckEngine(config::EngineDocument document,
                                         const NodeRegistry& registry, const EngineContext& context,
                                         config::Problems* problems) {
  std::vector<config::CoreRequest> requests;
  for (const config::PipelineDocument& pipeline : document.pipelines) {
    requests.push_back(RequestOf(pipeline));
  }
  std::vector<std::vector<int>> cores =
      config::PlaceCores(requests, context.allowed_cores, context.reserved_cores, problems);
  document.settings.state_dir = context.state_dir.value_or(document.settings.state_dir);
  CheckedEngine engine;
  for (size_t i = 0; i < document.pipelines.size(); ++i) {
    auto pipeline = CheckOne(document.pipelines[i], std::move(cores[i]),
                             document.settings.state_dir, registry, problems);
    if (pipeline.has_value()) {
      engine.pipelines.push_back(std::move(*pipeline));
    }
  }
  if (!problems->empty()) {
    return std::nullopt;
  }
  engine.settings = document.settings;
  engine.policies = config::ResolvePolicies(std::array{&std::as_const(document.policies)});
  engine.notices = problems->NoticeLines();
  engine.document = std::move(document);
  return engine;
}

Result<CheckedEngine> LoadEngine(std::string_view text, const std::string& name,
                                 const NodeRegistry& registry, const EngineContext& context) {
  config::Problems problems(name);
  const config::ValuePtr root = config::ParseDocument(text, &problems);
  if (root == nullptr) {
    return problems.ToStatus();
  }
  auto engine =
      CheckEngine(config::ReadEngineDocument(root, &problems), registry, context, &problems);
  ARROW_RETURN_NOT_OK(problems.ToStatus());
  return std::move(*engine);
}

Result<CheckedPipeline> CheckPipelineText(std::string_view text, const std::string& name,
                                          const PipelineKey& key,
                                          const config::EngineDocument& enclosing,
                                          const NodeRegistry& registry,
                                          const EngineContext& context) {
  config::Problems problems(name);
  const config::ValuePtr root = config::ParseDocument(text, &problems);
  if (root == nullptr) {
    return problems.ToStatus();
  }
  const config::GroupDocument* group = enclosing.FindGroup(key.group);
  const config::PolicySet none;
  const std::array scopes = {group == nullptr ? &none : &group->policies, &enclosing.policies};
  config::PipelineDocument document =
      config::ReadOnePipeline(root, key.group, key.name, scopes, &problems);
  // The places of the scopes are in another document.
  if (!document.own_policies.core_allocation.has_value()) {
    document.core_allocation_mark = document.mark;
  }
  std::vector<std::vector<int>> cores = config::PlaceCores(
      std::array{RequestOf(document)}, context.allowed_cores, context.reserved_cores, &problems);
  auto pipeline =
      CheckOne(document, std::move(cores[0]), enclosing.settings.state_dir, registry, &problems);
  ARROW_RETURN_NOT_OK(problems.ToStatus());
  return std::move(*pipeline);
}

}  // namespace df::engine
