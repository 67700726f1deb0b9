// The engine's state as JSON.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "admin/engine_view.h"
#include "admin/exchange.h"
#include "controller/control_plane.h"

namespace df::admin {

using Json = nlohmann::ordered_json;

/// Returns the text of a reply. Bytes that are no UTF-8 become U+FFFD: a name of a file in a
/// message must not cost the reply.
std::string ToText(const Json& json);

Reply JsonReply(int status, const Json& json);

/// "2026-11-25T00:31:07.250Z"
std::string FormatTime(runtime::WallTime time);

std::string_view Name(config::InstancePhase phase);
std::string_view Name(controller::OperationStatus::State state);
std::string_view Name(controller::OperationStatus::Kind kind);

/// Tells whether the operation will not change any more.
bool HasEnded(const controller::OperationStatus& operation);

Json ToJson(const controller::OperationStatus& operation);
Json ToJson(const controller::PipelineStatus& pipeline);
Json EngineStatus(EngineView& engine);

/// What a probe says.
struct ProbeResult {
  bool is_good = true;
  bool is_degraded = false;      ///< an exporter delivers nothing, which by itself is not bad
  Json reasons = Json::array();  ///< of {group, pipeline, reason}; why it is not good, or degraded

  /// "ok", "degraded" or "failing".
  std::string_view status() const { return !is_good ? "failing" : is_degraded ? "degraded" : "ok"; }
};

/// Ready: not draining, and every pipeline that has not ended is ready. An engine whose pipelines
/// have all ended is not ready. One whose destinations fail is ready, and degraded: it answers
/// those who send, and starting it again would help nobody; `unready_after` makes it not ready in
/// time.
ProbeResult ProbeReady(const controller::ControlPlane& control);

/// Live: every pipeline that has not ended is live, whether its destinations fail or not.
ProbeResult ProbeLive(const controller::ControlPlane& control);

/// The same for one pipeline.
ProbeResult ProbePipelineLive(const controller::PipelineStatus& pipeline);
ProbeResult ProbePipelineReady(const controller::PipelineStatus& pipeline);

}  // namespace df::admin
