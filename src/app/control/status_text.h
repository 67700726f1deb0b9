// The state of an engine for people.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace df::app {

/// Returns a line about the engine, a table of its pipelines, and a line for each reason why one
/// is not well, from the body of /api/v1/status.
std::string EngineStatusText(const nlohmann::json& status);

/// Returns the same for one pipeline, with its instances and operations, from the body of its
/// status.
std::string PipelineStatusText(const nlohmann::json& pipeline);

/// Returns "rollout 3 (replace): succeeded", with the reason behind it where there is one.
std::string OperationText(const nlohmann::json& operation);

}  // namespace df::app
