#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "admin/handlers.h"
#include "admin/status_json.h"
#include "base/log.h"
#include "base/logging.h"
#include "telemetry/exposition.h"
#include "telemetry/metric_set.h"

namespace df::admin {
namespace {

using telemetry::TextFormat;

telemetry::Attributes ResourceOf(const EngineView& engine) {
  return telemetry::Attributes({engine.resource.begin(), engine.resource.end()});
}

std::string_view FormatOf(const Call& call) {
  if (call.Has(kFormatParameter)) {
    const std::string format = call.Text(kFormatParameter);
    return format == "json" ? kJson : format == "openmetrics" ? kOpenMetrics : kPrometheus;
  }
  return call.media_type;
}

Json RecordJson(const LogRecord& record) {
  Json attributes = Json::object();
  for (const LogField& field : record.fields) {
    std::visit([&](const auto& value) { attributes[field.key] = value; }, field.value);
  }
  const runtime::WallTime time{std::chrono::duration_cast<runtime::WallTime::duration>(
      std::chrono::nanoseconds(record.unix_nanos))};
  return {{"sequence", record.sequence}, {"time", FormatTime(time)},
          {"level", Name(record.level)}, {"event", record.event},
          {"message", record.message},   {"attributes", std::move(attributes)}};
}

Answer LevelAnswer() { return {.reply = JsonReply(200, {{"level", Name(ProcessLog().level())}})}; }

}  // namespace

Answer GetMetrics(const Call& call, EngineView& engine) {
  const telemetry::MetricSnapshot snapshot = engine.control->metrics().Snapshot();
  const telemetry::Attributes resource = ResourceOf(engine);
  const std::string_view type = FormatOf(call);
  if (type == kJson) {
    return {.reply = {.content_type = std::string(kJson),
                      .body = telemetry::ToJson(snapshot, resource)}};
  }
  const TextFormat format =
      type == kOpenMetrics ? TextFormat::kOpenMetrics : TextFormat::kPrometheus;
  return {.reply = {.content_type = std::string(telemetry::ContentType(format)),
                    .body = telemetry::ToPrometheus(snapshot, resource, format)}};
}

Answer GetLogs(const Call& call, EngineView&) {
  const Log& log = ProcessLog();
  const auto limit = static_cast<uint64_t>(call.Number("limit"));
  const uint64_t last = log.last_sequence();
  const int64_t asked = call.Number("after");
  const uint64_t after = asked >= 0     ? static_cast<uint64_t>(asked)
                         : last > limit ? last - limit
                                        : 0;
  const std::vector<LogRecord> records = log.Kept(after, limit);
  Json json = {{"last_sequence", last}, {"num_missed", 0}, {"records", Json::array()}};
  // Records may be written between the two questions, so what is there counts before `last`.
  if (!records.empty()) {
    json["num_missed"] = records.front().sequence - after - 1;
    json["last_sequence"] = std::max(last, records.back().sequence);
  }
  for (const LogRecord& record : records) {
    json["records"].push_back(RecordJson(record));
  }
  return {.reply = JsonReply(200, json)};
}

Answer GetLogLevel(const Call&, EngineView&) { return LevelAnswer(); }

Answer PutLogLevel(const Call& call, EngineView&) {
  // Not Json, whose keys are looked up one by one.
  const auto body = nlohmann::json::parse(call.body, nullptr, false);
  if (body.is_discarded()) {
    return {.reply = ProblemReply(400, "invalid_body", "the body is no JSON")};
  }
  const bool has_level =
      body.is_object() && body.size() == 1 && body.contains("level") && body["level"].is_string();
  const std::optional<LogLevel> level =
      has_level ? FindLogLevel(body["level"].get<std::string>()) : std::nullopt;
  if (!level) {
    return {.reply = ProblemReply(
                422, "invalid_level",
                R"(expected {"level": L} with one of debug, info, warning, error as L)")};
  }
  SetLogLevel(*level);
  LogInfo("admin server: the log level is now {}, set from {}", Name(*level), call.peer);
  return LevelAnswer();
}

}  // namespace df::admin
