// From checked documents to what the controller runs, and back to text that may be shown.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controller/pipeline_plan.h"
#include "engine/checked_engine.h"
#include "engine/node_registry.h"

namespace df::app {

/// Makes the plan of a pipeline.
controller::PipelinePlanPtr MakePlan(engine::CheckedPipeline pipeline);

/// Makes the plans of a document, in its order.
std::vector<controller::PipelinePlanPtr> MakePlans(std::vector<engine::CheckedPipeline> pipelines);

/// Checks the text of a pipeline that is put into a running engine, beside the others.
/// Errors: config, every problem on a line of its own.
Result<controller::PipelinePlanPtr> CheckPlan(const controller::PipelineKey& key,
                                              std::string_view text,
                                              std::span<const controller::PipelinePlanPtr> others,
                                              const config::EngineDocument& document,
                                              const engine::NodeRegistry& registry,
                                              const std::vector<int>& allowed_cores);

/// Writes the whole document with the plans in force as JSON, secrets replaced.
std::string PrintPlans(std::span<const controller::PipelinePlanPtr> plans,
                       const config::EngineDocument& document);

/// Returns the value with everything replaced that stands under a key which names a secret: tokens,
/// passwords, keys of accounts, headers. What refers to the environment stays a reference.
config::ValuePtr WithoutSecrets(const config::ValuePtr& value);

}  // namespace df::app
