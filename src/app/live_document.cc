#include "app/live_document.h"

#include <algorithm>
#include <utility>

#include "app/pipeline_plans.h"
#include "config/document_source.h"
#include "config/value_writer.h"

namespace df::app {
namespace {

std::string EngineSectionOf(const config::EngineDocument& document) {
  return document.engine == nullptr ? "" : config::ToJson(*document.engine);
}

}  // namespace

LiveDocument::LiveDocument(DocumentFlags flags, std::vector<int> allowed_cores,
                           const engine::NodeRegistry* registry, config::Environment environment,
                           const engine::CheckedEngine& first)
    : flags_(std::move(flags)),
      allowed_cores_(std::move(allowed_cores)),
      registry_(*registry),
      environment_(std::move(environment)),
      engine_section_(EngineSectionOf(first.document)),
      state_dir_(first.settings.state_dir) {
  Take(first);
}

void LiveDocument::Take(const engine::CheckedEngine& engine) {
  auto document = std::make_shared<const config::EngineDocument>(engine.document);
  std::set<controller::PipelineKey> keys;
  for (const engine::CheckedPipeline& pipeline : engine.pipelines) {
    keys.insert({pipeline.group, pipeline.name});
  }
  const std::lock_guard lock(mutex_);
  document_ = std::move(document);
  keys_ = std::move(keys);
}

LiveDocument::DocumentPtr LiveDocument::document() const {
  const std::lock_guard lock(mutex_);
  return document_;
}

Result<controller::PipelinePlanPtr> LiveDocument::Check(
    const controller::PipelineKey& key, std::string_view text,
    std::span<const controller::PipelinePlanPtr> others) const {
  return CheckPlan(key, text, others, *document(), registry_, allowed_cores_);
}

std::string LiveDocument::Print(std::span<const controller::PipelinePlanPtr> plans) const {
  return PrintPlans(plans, *document());
}

Result<controller::ReloadedPlans> LiveDocument::Reload() {
  if (!config::IsFile(flags_.source)) {
    return Status::NotImplemented(
        "the document came with the command line or the environment, not from a file that could "
        "be read again");
  }
  ARROW_ASSIGN_OR_RAISE(
      engine::CheckedEngine engine,
      LoadDocument(flags_, registry_, {.allowed_cores = allowed_cores_, .state_dir = state_dir_},
                   environment_));
  controller::ReloadedPlans reloaded;
  reloaded.notices = engine.notices;
  if (EngineSectionOf(engine.document) != engine_section_) {
    reloaded.notices.emplace_back(
        "what has changed under 'engine' counts when the process is started again");
  }
  std::set<controller::PipelineKey> before;
  {
    const std::lock_guard lock(mutex_);
    before = keys_;
  }
  Take(engine);
  reloaded.plans = MakePlans(std::move(engine.pipelines));
  for (const controller::PipelinePlanPtr& plan : reloaded.plans) {
    before.erase(plan->key());
  }
  reloaded.removed.assign(before.begin(), before.end());
  return reloaded;
}

}  // namespace df::app
