// The document of a process that runs: what later changes are checked against, and how it is read
// again.
#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/load_document.h"
#include "controller/controller.h"
#include "engine/checked_engine.h"
#include "engine/node_registry.h"

namespace df::app {

/// Calls: from any thread.
class LiveDocument {
 public:
  /// `first` is what the process began with. `registry` is borrowed.
  LiveDocument(DocumentFlags flags, std::vector<int> allowed_cores,
               const engine::NodeRegistry* registry, config::Environment environment,
               const engine::CheckedEngine& first);

  /// As ControllerOptions wants them.
  Result<controller::PipelinePlanPtr> Check(
      const controller::PipelineKey& key, std::string_view text,
      std::span<const controller::PipelinePlanPtr> others) const;
  std::string Print(std::span<const controller::PipelinePlanPtr> plans) const;
  Result<controller::ReloadedPlans> Reload();

 private:
  using DocumentPtr = std::shared_ptr<const config::EngineDocument>;
  DocumentPtr document() const;
  void Take(const engine::CheckedEngine& engine);

  const DocumentFlags flags_;
  const std::vector<int> allowed_cores_;
  const engine::NodeRegistry& registry_;
  const config::Environment environment_;
  mutable std::mutex mutex_;
  DocumentPtr document_;
  std::set<controller::PipelineKey> keys_;  // of its pipelines
  std::string engine_section_;              // as the process has begun with it
  const std::string state_dir_;             // likewise
};

}  // namespace df::app
