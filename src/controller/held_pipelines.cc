#include "controller/held_pipelines.h"

#include <vector>

#include <fmt/format.h>

#include "controller/controller.h"

namespace df::controller {

void AddPaused(PipelineStatus* pipeline) {
  for (const engine::NamedSource& named :
       engine::ProcessSources().Of(pipeline->key.group, pipeline->key.pipeline)) {
    const engine::HoldStatus hold = named.source->hold();
    if (hold.is_held) {
      pipeline->paused.push_back(
          {.node = named.node, .since = hold.since, .num_batches = hold.num_batches_let});
    }
  }
}

Result<std::vector<engine::NamedSource>> Controller::SourcesOf(const PipelineKey& key) const {
  {
    const std::lock_guard lock(mutex_);
    ARROW_RETURN_NOT_OK(supervisor_.Pipeline(key).status());
  }
  std::vector<engine::NamedSource> sources = engine::ProcessSources().Of(key.group, key.pipeline);
  if (sources.empty()) {
    return Status::NotImplemented(
        fmt::format("pipeline '{}/{}' has no receiver that runs and can be paused; "
                    "receiver:parquet can",
                    key.group, key.pipeline));
  }
  return sources;
}

Status Controller::Pause(const PipelineKey& key) {
  ARROW_ASSIGN_OR_RAISE(const auto sources, SourcesOf(key));
  for (const engine::NamedSource& named : sources) {
    named.source->Hold();
  }
  return Status::OK();
}

Status Controller::Resume(const PipelineKey& key) {
  ARROW_ASSIGN_OR_RAISE(const auto sources, SourcesOf(key));
  for (const engine::NamedSource& named : sources) {
    named.source->LetGo();
  }
  return Status::OK();
}

Status Controller::Step(const PipelineKey& key, const engine::StepSize& size) {
  ARROW_ASSIGN_OR_RAISE(const auto sources, SourcesOf(key));
  for (const engine::NamedSource& named : sources) {
    const Status stepped = named.source->Step(size);
    if (!stepped.ok()) {
      return stepped.WithMessage(fmt::format("node '{}': {}", named.node, stepped.message()));
    }
  }
  return Status::OK();
}

}  // namespace df::controller
