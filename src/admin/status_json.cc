#include "admin/status_json.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>

#include <arrow/memory_pool.h>
#include <fmt/format.h>
#include <unistd.h>

namespace df::admin {
namespace {

using controller::OperationStatus;
using controller::PipelineStatus;

constexpr std::array<std::string_view, config::kNumInstancePhases> kPhaseNames = {
    "pending", "starting", "running", "updating", "rolling_back", "draining",
    "stopped", "rejected", "failed",  "deleting", "deleted"};
constexpr std::array<std::string_view, 4> kKindNames = {"rollout", "stop", "start", "delete"};
constexpr std::array<std::string_view, 7> kStateNames = {
    "pending", "running", "succeeded", "failed", "rolling_back", "rolled_back", "rollback_failed"};

Json ToJson(const controller::InstanceStatus& instance) {
  Json json = {{"index", instance.instance_index},   {"core", nullptr},
               {"phase", Name(instance.phase)},      {"generation", instance.generation},
               {"restarts", instance.num_restarts},  {"reason", instance.reason},
               {"since", FormatTime(instance.since)}};
  if (instance.core) {
    json["core"] = *instance.core;
  }
  return json;
}

Json ToJson(const controller::FailingDestination& failing) {
  Json json = {{"node", failing.node},
               {"core", nullptr},
               {"since", FormatTime(failing.since)},
               {"refused_batches", failing.num_refused},
               {"reason", failing.reason}};
  if (failing.core) {
    json["core"] = *failing.core;
  }
  return json;
}

/// Bytes of memory that the process has in RAM; 0 where the system does not tell.
int64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t num_pages = 0;
  int64_t num_resident = 0;
  statm >> num_pages >> num_resident;
  return num_resident * sysconf(_SC_PAGESIZE);
}

/// Probes skip what has ended as it should: it has nothing to be ready for.
bool HasEnded(const PipelineStatus& pipeline) {
  return pipeline.phase == config::InstancePhase::kStopped ||
         pipeline.phase == config::InstancePhase::kDeleted;
}

void AddReason(std::string_view reason, ProbeResult* result) {
  result->is_good = false;
  result->reasons.push_back(Json{{"group", ""}, {"pipeline", ""}, {"reason", reason}});
}

/// Names the exporters that deliver nothing, one reason each.
void AddFailing(const PipelineStatus& pipeline, ProbeResult* result) {
  for (const controller::FailingDestination& failing : pipeline.failing) {
    result->is_degraded = true;
    result->reasons.push_back(
        Json{{"group", pipeline.key.group},
             {"pipeline", pipeline.key.pipeline},
             {"reason", fmt::format("node '{}'{} has delivered nothing since {}: {}", failing.node,
                                    failing.core ? fmt::format(" on core {}", *failing.core) : "",
                                    FormatTime(failing.since), failing.reason)}});
  }
}

/// Says which receivers are paused. Somebody has asked for that: nothing is wrong.
void AddPaused(const PipelineStatus& pipeline, ProbeResult* result) {
  for (const controller::PausedNode& paused : pipeline.paused) {
    result->reasons.push_back(Json{{"group", pipeline.key.group},
                                   {"pipeline", pipeline.key.pipeline},
                                   {"reason", fmt::format("node '{}' is paused since {}",
                                                          paused.node, FormatTime(paused.since))}});
  }
}

void AddReason(const PipelineStatus& pipeline, ProbeResult* result) {
  std::string reason(Name(pipeline.phase));
  for (const controller::InstanceStatus& instance : pipeline.instances) {
    if (!instance.reason.empty()) {
      reason += fmt::format("; instance {} is {}: {}", instance.instance_index,
                            Name(instance.phase), instance.reason);
    }
  }
  result->is_good = false;
  result->reasons.push_back(
      Json{{"group", pipeline.key.group}, {"pipeline", pipeline.key.pipeline}, {"reason", reason}});
}

}  // namespace

std::string ToText(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Reply JsonReply(int status, const Json& json) {
  return {.status = status, .content_type = std::string(kJson), .body = ToText(json)};
}

std::string FormatTime(runtime::WallTime time) {
  const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(milliseconds);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(milliseconds - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::string_view Name(config::InstancePhase phase) {
  return kPhaseNames[static_cast<size_t>(phase)];
}
std::string_view Name(OperationStatus::State state) {
  return kStateNames[static_cast<size_t>(state)];
}
std::string_view Name(OperationStatus::Kind kind) { return kKindNames[static_cast<size_t>(kind)]; }

bool HasEnded(const OperationStatus& operation) {
  using State = OperationStatus::State;
  return operation.state == State::kSucceeded || operation.state == State::kFailed ||
         operation.state == State::kRolledBack || operation.state == State::kRollbackFailed;
}

Json ToJson(const OperationStatus& operation) {
  return {{"id", std::to_string(operation.id)},
          {"kind", Name(operation.kind)},
          {"state", Name(operation.state)},
          {"action", operation.action},
          {"reason", operation.reason},
          {"started", FormatTime(operation.started)},
          {"updated", FormatTime(operation.updated)}};
}

Json ToJson(const PipelineStatus& pipeline) {
  Json json = {{"group", pipeline.key.group},   {"pipeline", pipeline.key.pipeline},
               {"phase", Name(pipeline.phase)}, {"generation", pipeline.generation},
               {"is_live", pipeline.is_live},   {"is_ready", pipeline.is_ready},
               {"instances", Json::array()},    {"failing", Json::array()},
               {"instances", Json::array()},    {"failing", Json::array()},
               {"paused", Json::array()},       {"operations", Json::array()}};
  for (const controller::InstanceStatus& instance : pipeline.instances) {
    json["instances"].push_back(ToJson(instance));
  }
  for (const controller::FailingDestination& failing : pipeline.failing) {
    json["failing"].push_back(ToJson(failing));
  }
  for (const controller::PausedNode& paused : pipeline.paused) {
    json["paused"].push_back(Json{{"node", paused.node},
                                  {"since", FormatTime(paused.since)},
                                  {"batches", paused.num_batches}});
  }
  for (const OperationStatus& operation : pipeline.operations) {
    json["operations"].push_back(ToJson(operation));
  }
  return json;
}

Json EngineStatus(EngineView& engine) {
  const std::chrono::duration<double> uptime = engine.clock->Now() - engine.started_steady;
  const ProbeResult ready = ProbeReady(*engine.control);
  Json json = {{"generated_at", FormatTime(engine.clock->WallNow())},
               {"version", engine.version},
               {"started_at", FormatTime(engine.started)},
               {"uptime_seconds", uptime.count()},
               {"is_draining", engine.control->is_draining()},
               {"is_live", ProbeLive(*engine.control).is_good},
               {"is_ready", ready.is_good},
               {"is_degraded", ready.is_degraded},
               {"memory", Json{{"resident_bytes", ResidentBytes()},
                               {"arrow_bytes", arrow::default_memory_pool()->bytes_allocated()}}},
               {"pipelines", Json::array()}};
  for (const PipelineStatus& pipeline : engine.control->Pipelines()) {
    json["pipelines"].push_back(ToJson(pipeline));
  }
  return json;
}

ProbeResult ProbeReady(const controller::ControlPlane& control) {
  ProbeResult result;
  if (control.is_draining()) {
    AddReason("the engine is draining", &result);
  }
  const std::vector<PipelineStatus> pipelines = control.Pipelines();
  for (const PipelineStatus& pipeline : pipelines) {
    if (!HasEnded(pipeline) && !pipeline.is_ready) {
      AddReason(pipeline, &result);
    }
    AddFailing(pipeline, &result);
    AddPaused(pipeline, &result);
  }
  if (std::all_of(pipelines.begin(), pipelines.end(),
                  [](const PipelineStatus& pipeline) { return HasEnded(pipeline); })) {
    AddReason(pipelines.empty() ? "there is no pipeline" : "every pipeline has ended", &result);
  }
  return result;
}

ProbeResult ProbeLive(const controller::ControlPlane& control) {
  ProbeResult result;
  for (const PipelineStatus& pipeline : control.Pipelines()) {
    if (!HasEnded(pipeline) && !pipeline.is_live) {
      AddReason(pipeline, &result);
    }
  }
  return result;
}

ProbeResult ProbePipelineLive(const PipelineStatus& pipeline) {
  ProbeResult result;
  if (!pipeline.is_live) {
    AddReason(pipeline, &result);
  }
  return result;
}

ProbeResult ProbePipelineReady(const PipelineStatus& pipeline) {
  ProbeResult result;
  if (!pipeline.is_ready) {
    AddReason(pipeline, &result);
  }
  AddFailing(pipeline, &result);
  AddPaused(pipeline, &result);
  return result;
}

}  // namespace df::admin
