#include <string>

#include "admin/handlers.h"
#include "admin/status_json.h"
#include "base/logging.h"
#include "engine/held_sources.h"

namespace df::admin {
namespace {

using controller::PipelineKey;

PipelineKey KeyOf(const Call& call) {
  return {call.PathParameter("group"), call.PathParameter("pipeline")};
}

/// Answers with what is paused now, or why nothing has changed.
Answer PauseAnswer(const Call& call, const Status& changed, std::string_view what,
                   const EngineView& engine) {
  if (!changed.ok()) {
    return {.reply = changed.IsKeyError() ? ProblemReply(404, "not_found", changed.message())
                                          : ProblemReply(409, "conflict", changed.message())};
  }
  const PipelineKey key = KeyOf(call);
  LogInfo("admin server: pipeline {}/{} was {}, asked from {}", key.group, key.pipeline, what,
          call.peer);
  const auto pipeline = engine.control->Pipeline(key);
  if (!pipeline.ok()) {
    return {.reply = StatusReply(pipeline.status())};
  }
  return {.reply = JsonReply(200, ToJson(*pipeline))};
}

}  // namespace

Answer PausePipeline(const Call& call, EngineView& engine) {
  return PauseAnswer(call, engine.control->Pause(KeyOf(call)), "paused", engine);
}

Answer ResumePipeline(const Call& call, EngineView& engine) {
  return PauseAnswer(call, engine.control->Resume(KeyOf(call)), "resumed", engine);
}

Answer StepPipeline(const Call& call, EngineView& engine) {
  engine::StepSize size{.num_batches = call.Number("batches"), .event_time = call.Duration("time")};
  const bool has_time = size.event_time > std::chrono::nanoseconds(0);
  if (has_time && call.Has("batches")) {
    return {.reply = ProblemReply(400, "invalid_query",
                                  "found batches and time, expected one of the two")};
  }
  size.num_batches = has_time ? 0 : size.num_batches;
  return PauseAnswer(call, engine.control->Step(KeyOf(call), size), "stepped", engine);
}

}  // namespace df::admin
