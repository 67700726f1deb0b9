#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "admin/handlers.h"
#include "admin/openapi.h"
#include "admin/status_json.h"
#include "web/operator_page.h"

namespace df::admin {
namespace {

using config::InstancePhase;
using controller::PipelineStatus;

/// Probes are open, names of pipelines are not.
Reply ProbeReply(const ProbeResult& probe, int bad_status, bool is_trusted) {
  Json json = {{"status", probe.status()}, {"reasons", Json::array()}};
  if (is_trusted) {
    json["reasons"] = probe.reasons;
  }
  return JsonReply(probe.is_good ? 200 : bad_status, json);
}

/// Tells whether nothing of any pipeline runs any more.
bool HaveEnded(const std::vector<PipelineStatus>& pipelines) {
  return std::all_of(pipelines.begin(), pipelines.end(), [](const PipelineStatus& pipeline) {
    return pipeline.phase == InstancePhase::kStopped || pipeline.phase == InstancePhase::kFailed ||
           pipeline.phase == InstancePhase::kRejected || pipeline.phase == InstancePhase::kDeleted;
  });
}

Reply ShutdownReply(int status, std::string_view state, const controller::ControlPlane& control) {
  Json json = {{"state", state}, {"pipelines", Json::array()}};
  for (const PipelineStatus& pipeline : control.Pipelines()) {
    json["pipelines"].push_back(Json{{"group", pipeline.key.group},
                                     {"pipeline", pipeline.key.pipeline},
                                     {"phase", Name(pipeline.phase)}});
  }
  return JsonReply(status, json);
}

}  // namespace

Answer GetStatus(const Call&, EngineView& engine) {
  return {.reply = JsonReply(200, EngineStatus(engine))};
}

Answer GetLiveness(const Call& call, EngineView& engine) {
  return {.reply = ProbeReply(ProbeLive(*engine.control), 500, call.is_trusted)};
}

Answer GetReadiness(const Call& call, EngineView& engine) {
  return {.reply = ProbeReply(ProbeReady(*engine.control), 503, call.is_trusted)};
}

Answer GetDocument(const Call&, EngineView& engine) {
  return {.reply = {.content_type = std::string(kJson), .body = engine.control->Document()}};
}

Answer PostShutdown(const Call& call, EngineView& engine) {
  controller::ControlPlane* control = engine.control;
  control->Shutdown(fmt::format("asked for at the admin server from {}", call.peer));
  if (!call.Flag("wait")) {
    return {.reply = ShutdownReply(202, "draining", *control)};
  }
  Answer answer;
  answer.reply = ShutdownReply(504, "draining", *control);
  answer.wait = call.Duration("timeout");
  answer.poll = [control]() -> std::optional<Reply> {
    if (!HaveEnded(control->Pipelines())) {
      return std::nullopt;
    }
    return ShutdownReply(200, "ended", *control);
  };
  return answer;
}

Answer GetOpenApi(const Call&, EngineView&) {
  return {.reply = {.content_type = std::string(kJson), .body = OpenApiText()}};
}

Answer GetOperatorPage(const Call&, EngineView&) {
  Answer answer;
  answer.reply.content_type = "text/html; charset=utf-8";
  answer.reply.body = web::OperatorPage();
  answer.reply.headers.emplace_back("Content-Security-Policy", web::OperatorPagePolicy());
  return answer;
}

}  // namespace df::admin
