#include "app/control/status_text.h"

#include <chrono>
#include <string_view>

#include <fmt/format.h>

#include "app/commands/text_table.h"
#include "app/control/reply_fields.h"
#include "base/text.h"

namespace df::app {
namespace {

using nlohmann::json;

std::string NameOf(const json& pipeline) {
  return TextOf(pipeline, "group") + "/" + TextOf(pipeline, "pipeline");
}

bool HasEnded(const json& pipeline) {
  const std::string phase = TextOf(pipeline, "phase");
  return phase == "stopped" || phase == "deleted";
}

/// One word; the reasons stand below the table.
std::string_view HealthOf(const json& pipeline) {
  if (HasEnded(pipeline)) {
    return "-";
  }
  return !FlagOf(pipeline, "is_live")            ? "not live"
         : !FlagOf(pipeline, "is_ready")         ? "not ready"
         : !PartsOf(pipeline, "failing").empty() ? "degraded"
         : !PartsOf(pipeline, "paused").empty()  ? "paused"
                                                 : "ok";
}

std::string CoreOf(const json& part) {
  return part.is_object() && part.contains("core") && part["core"].is_number()
             ? fmt::format("{}", NumberOf(part, "core"))
             : "-";
}

/// "node 'out' on core 0 has delivered nothing since ..", a line each.
std::string Reasons(const json& pipeline) {
  std::string text;
  for (const json& failing : PartsOf(pipeline, "failing")) {
    const std::string core = CoreOf(failing);
    const int64_t num_refused = NumberOf(failing, "refused_batches");
    text += fmt::format("{}: node '{}'{} has delivered nothing since {}, {} batch{} refused: {}\n",
                        NameOf(pipeline), TextOf(failing, "node"),
                        core == "-" ? "" : " on core " + core, TextOf(failing, "since"),
                        num_refused, num_refused == 1 ? "" : "es", TextOf(failing, "reason"));
  }
  for (const json& paused : PartsOf(pipeline, "paused")) {
    const int64_t num_batches = NumberOf(paused, "batches");
    text += fmt::format("{}: node '{}' is paused since {}, {} batch{} let through by steps\n",
                        NameOf(pipeline), TextOf(paused, "node"), TextOf(paused, "since"),
                        num_batches, num_batches == 1 ? "" : "es");
  }
  for (const json& instance : PartsOf(pipeline, "instances")) {
    const std::string reason = TextOf(instance, "reason");
    if (!reason.empty()) {
      text += fmt::format("{}: instance {} is {}: {}\n", NameOf(pipeline),
                          NumberOf(instance, "index"), TextOf(instance, "phase"), reason);
    }
  }
  return text;
}

void AddRow(const json& pipeline, TextTable* table) {
  int64_t num_running = 0;
  int64_t num_restarts = 0;
  const json& instances = PartsOf(pipeline, "instances");
  for (const json& instance : instances) {
    num_running += TextOf(instance, "phase") == "running" ? 1 : 0;
    num_restarts += NumberOf(instance, "restarts");
  }
  table->Add({NameOf(pipeline), TextOf(pipeline, "phase"),
              fmt::format("{}", NumberOf(pipeline, "generation")),
              fmt::format("{}/{}", num_running, instances.size()), fmt::format("{}", num_restarts),
              std::string(HealthOf(pipeline))});
}

TextTable PipelineTable() {
  return TextTable({{"PIPELINE"},
                    {"PHASE"},
                    {"GENERATION", true},
                    {"RUNNING", true},
                    {"RESTARTS", true},
                    {"HEALTH"}});
}

std::string InstanceTable(const json& pipeline) {
  TextTable table({{"INSTANCE", true},
                   {"CORE", true},
                   {"PHASE"},
                   {"GENERATION", true},
                   {"RESTARTS", true},
                   {"SINCE"}});
  for (const json& instance : PartsOf(pipeline, "instances")) {
    table.Add({fmt::format("{}", NumberOf(instance, "index")), CoreOf(instance),
               TextOf(instance, "phase"), fmt::format("{}", NumberOf(instance, "generation")),
               fmt::format("{}", NumberOf(instance, "restarts")), TextOf(instance, "since")});
  }
  return table.ToText();
}

}  // namespace

std::string OperationText(const json& operation) {
  const std::string action = TextOf(operation, "action");
  const std::string reason = TextOf(operation, "reason");
  return fmt::format("{} {}{}: {}{}", TextOf(operation, "kind"), TextOf(operation, "id"),
                     action.empty() ? "" : fmt::format(" ({})", action), TextOf(operation, "state"),
                     reason.empty() ? "" : ": " + reason);
}

std::string EngineStatusText(const json& status) {
  const json& memory = PartsOf(status, "memory");
  const std::string_view health = FlagOf(status, "is_draining")   ? "draining"
                                  : !FlagOf(status, "is_live")    ? "not live"
                                  : !FlagOf(status, "is_ready")   ? "not ready"
                                  : FlagOf(status, "is_degraded") ? "ready, degraded"
                                                                  : "ready";
  std::string text = fmt::format(
      "df_engine {}   {}, up {}, {} of memory, {} of it Arrow's\n\n", TextOf(status, "version"),
      health, FormatDuration(std::chrono::seconds(NumberOf(status, "uptime_seconds"))),
      FormatSize(NumberOf(memory, "resident_bytes")), FormatSize(NumberOf(memory, "arrow_bytes")));
  TextTable table = PipelineTable();
  std::string reasons;
  for (const json& pipeline : PartsOf(status, "pipelines")) {
    AddRow(pipeline, &table);
    reasons += Reasons(pipeline);
  }
  return text + table.ToText() + (reasons.empty() ? "" : "\n" + reasons);
}

std::string PipelineStatusText(const json& pipeline) {
  TextTable table = PipelineTable();
  AddRow(pipeline, &table);
  std::string text = table.ToText() + "\n" + InstanceTable(pipeline);
  const std::string reasons = Reasons(pipeline);
  text += reasons.empty() ? "" : "\n" + reasons;
  std::string operations;
  for (const json& operation : PartsOf(pipeline, "operations")) {
    operations += fmt::format("{}  {}\n", TextOf(operation, "updated"), OperationText(operation));
  }
  return text + (operations.empty() ? "" : "\n" + operations);
}

}  // namespace df::app
