#include <charconv>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "admin/handlers.h"
#include "admin/status_json.h"

namespace df::admin {
namespace {

using controller::ControlPlane;
using controller::OperationStatus;
using controller::PipelineKey;
using controller::PipelineStatus;

PipelineKey KeyOf(const Call& call) {
  return {call.PathParameter("group"), call.PathParameter("pipeline")};
}

/// A refusal that carries the operation it is about.
Reply OperationProblem(int status, std::string_view code, const std::string& message,
                       const OperationStatus& operation) {
  const Json json = {{"status", status},
                     {"code", code},
                     {"message", message},
                     {"problems", Json::array()},
                     {"operation", ToJson(operation)}};
  return JsonReply(status, json);
}

Reply OperationReply(const OperationStatus& operation) {
  if (!HasEnded(operation)) {
    return JsonReply(202, ToJson(operation));
  }
  if (operation.state == OperationStatus::State::kSucceeded) {
    return JsonReply(200, ToJson(operation));
  }
  return OperationProblem(500, "operation_failed",
                          fmt::format("the {} has ended as {}: {}", Name(operation.kind),
                                      Name(operation.state), operation.reason),
                          operation);
}

/// Answers about an operation that has been asked for: at once, or when it has ended.
Answer OperationAnswer(const Call& call, ControlPlane* control,
                       const Result<OperationStatus>& accepted) {
  if (!accepted.ok()) {
    return {.reply = StatusReply(accepted.status())};
  }
  Reply reply = OperationReply(*accepted);
  if (HasEnded(*accepted) || !call.Flag("wait")) {
    const std::string& group = call.PathParameter("group");
    const std::string& pipeline = call.PathParameter("pipeline");
    // Ids that may stand in a path as they are need no escapes; others have no Location.
    const auto is_plain = [](const std::string& name) {
      return name.find_first_not_of(
                 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                 "-_.~") == std::string::npos;
    };
    if (reply.status == 202 && is_plain(group) && is_plain(pipeline)) {
      reply.headers.emplace_back(
          "Location", fmt::format("/api/v1/groups/{}/pipelines/{}/operations/{}", group, pipeline,
                                  accepted->id));
    }
    return {.reply = std::move(reply)};
  }
  Answer answer;
  answer.wait = call.Duration("timeout");
  answer.reply = OperationProblem(504, "timeout", "the operation has not ended in time and goes on",
                                  *accepted);
  answer.poll = [control, key = KeyOf(call), last = *accepted]() -> std::optional<Reply> {
    const Result<OperationStatus> now = control->Operation(key, last.id);
    if (!now.ok()) {
      return StatusReply(now.status());
    }
    return HasEnded(*now) ? std::optional<Reply>(OperationReply(*now)) : std::nullopt;
  };
  return answer;
}

Answer ProbeAnswer(const Call& call, EngineView& engine,
                   ProbeResult (*probe_pipeline)(const PipelineStatus&), int bad_status) {
  const Result<PipelineStatus> pipeline = engine.control->Pipeline(KeyOf(call));
  if (!pipeline.ok()) {
    return {.reply = StatusReply(pipeline.status())};
  }
  const ProbeResult probe = probe_pipeline(*pipeline);
  const Json json = {{"status", probe.status()}, {"reasons", probe.reasons}};
  return {.reply = JsonReply(probe.is_good ? 200 : bad_status, json)};
}

/// So many bytes are read at once: 16 KiB take some milliseconds.
constexpr size_t kMaxReadAtOnce = size_t{16} << 10;
/// How long a large document may take to be read and checked.
constexpr std::chrono::minutes kMaxCheck{1};

Answer ReadAndPut(const Call& call, ControlPlane* control) {
  // The engine reads JSON as the YAML that it is; who says JSON is held to it.
  if (call.body_type == kJson && !Json::accept(call.body)) {
    return {.reply = ProblemReply(400, "invalid_body", "the body is no JSON")};
  }
  const controller::RolloutOptions options = {.step_timeout = call.Duration("step_timeout"),
                                              .drain_timeout = call.Duration("drain_timeout")};
  return OperationAnswer(call, control, control->Put(KeyOf(call), call.body, options));
}

}  // namespace

Answer GetPipeline(const Call& call, EngineView& engine) {
  const PipelineKey key = KeyOf(call);
  const Result<PipelineStatus> status = engine.control->Pipeline(key);
  if (!status.ok()) {
    return {.reply = StatusReply(status.status())};
  }
  const Result<std::string> document = engine.control->PipelineDocument(key);
  if (!document.ok()) {
    return {.reply = StatusReply(document.status())};
  }
  // The document is JSON already. To parse it into ordered keys takes the square of their number.
  std::string body = ToText(Json{{"group", key.group},
                                 {"pipeline", key.pipeline},
                                 {"generation", status->generation},
                                 {"phase", Name(status->phase)}});
  body.resize(body.size() - std::string_view("\n}\n").size());
  const std::string_view text = *document;
  body += fmt::format(",\"document\":{}}}", text.substr(0, text.find_last_not_of(" \n") + 1));
  return {.reply = {.content_type = std::string(kJson), .body = std::move(body)}};
}

Answer PutPipeline(const Call& call, EngineView& engine) {
  if (call.body.size() <= kMaxReadAtOnce) {
    return ReadAndPut(call, engine.control);
  }
  // Probes wait for nobody's document: a thread of its own reads it.
  struct Reading {
    Answer answer;
    std::future<Answer> future;
    std::chrono::steady_clock::time_point end;  // of the answer's wait
  };
  const auto reading = std::make_shared<Reading>();
  reading->future = std::async(
      std::launch::async, [call, control = engine.control] { return ReadAndPut(call, control); });
  Answer answer;
  answer.wait =
      kMaxCheck + (call.Flag("wait") ? call.Duration("timeout") : std::chrono::seconds(0));
  answer.reply = ProblemReply(504, "timeout", "the document is still being checked");
  answer.poll = [reading]() -> std::optional<Reply> {
    if (reading->future.valid()) {
      if (reading->future.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
        return std::nullopt;
      }
      reading->answer = reading->future.get();
      reading->end =
          std::chrono::steady_clock::now() +
          std::chrono::duration_cast<std::chrono::steady_clock::duration>(reading->answer.wait);
    }
    if (reading->answer.poll) {
      std::optional<Reply> reply = reading->answer.poll();
      if (reply || std::chrono::steady_clock::now() < reading->end) {
        return reply;
      }
    }
    return std::move(reading->answer.reply);
  };
  return answer;
}

Answer DeletePipeline(const Call& call, EngineView& engine) {
  return OperationAnswer(call, engine.control,
                         engine.control->Delete(KeyOf(call), call.Duration("drain_timeout")));
}

Answer GetPipelineStatus(const Call& call, EngineView& engine) {
  const Result<PipelineStatus> status = engine.control->Pipeline(KeyOf(call));
  return {.reply = status.ok() ? JsonReply(200, ToJson(*status)) : StatusReply(status.status())};
}

Answer GetPipelineLiveness(const Call& call, EngineView& engine) {
  return ProbeAnswer(call, engine, ProbePipelineLive, 500);
}

Answer GetPipelineReadiness(const Call& call, EngineView& engine) {
  return ProbeAnswer(call, engine, ProbePipelineReady, 503);
}

Answer StopPipeline(const Call& call, EngineView& engine) {
  return OperationAnswer(call, engine.control,
                         engine.control->Stop(KeyOf(call), call.Duration("drain_timeout")));
}

Answer StartPipeline(const Call& call, EngineView& engine) {
  return OperationAnswer(call, engine.control, engine.control->Start(KeyOf(call)));
}

Answer GetOperation(const Call& call, EngineView& engine) {
  const std::string& text = call.PathParameter("operation");
  uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size()) {
    return {.reply =
                ProblemReply(404, "not_found", fmt::format("'{}' is no id of an operation", text))};
  }
  const Result<OperationStatus> operation = engine.control->Operation(KeyOf(call), id);
  return {.reply = operation.ok() ? JsonReply(200, ToJson(*operation))
                                  : StatusReply(operation.status())};
}

}  // namespace df::admin
