#include "admin/fake_control_plane.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include <fmt/format.h>

namespace df::admin {

using config::InstancePhase;
using controller::InstanceStatus;
using controller::OperationStatus;
using controller::PipelineKey;
using controller::PipelineStatus;

namespace {

constexpr runtime::WallTime kThen{std::chrono::seconds(1'764'028'800)};

const PipelineStatus* Find(const std::vector<PipelineStatus>& pipelines, const PipelineKey& key) {
  const auto found = std::find_if(pipelines.begin(), pipelines.end(),
                                  [&key](const PipelineStatus& one) { return one.key == key; });
  return found == pipelines.end() ? nullptr : &*found;
}

Status NoSuchPipeline(const PipelineKey& key) {
  return Status::KeyError(fmt::format("there is no pipeline '{}/{}'", key.group, key.pipeline));
}

}  // namespace

FakeControlPlane::FakeControlPlane() {
  PipelineStatus pipeline;
  pipeline.key = {"default", "main"};
  pipeline.phase = InstancePhase::kRunning;
  pipeline.generation = 3;
  pipeline.is_ready = true;
  for (int i = 0; i < 2; ++i) {
    InstanceStatus instance;
    instance.instance_index = i;
    instance.core = i;
    instance.phase = InstancePhase::kRunning;
    instance.generation = 3;
    instance.since = kThen;
    pipeline.instances.push_back(instance);
  }
  state_.pipelines.push_back(pipeline);
}

void FakeControlPlane::With(const std::function<void(State*)>& visit) {
  const std::lock_guard lock(mutex_);
  visit(&state_);
}

std::vector<PipelineStatus> FakeControlPlane::Pipelines() const {
  const std::lock_guard lock(mutex_);
  if (state_.throws) {
    throw std::runtime_error("broken");
  }
  if (state_.is_draining && state_.looks_to_end >= 0 && state_.looks_to_end-- == 0) {
    for (PipelineStatus& pipeline : state_.pipelines) {
      pipeline.phase = InstancePhase::kStopped;
    }
  }
  return state_.pipelines;
}

Result<PipelineStatus> FakeControlPlane::Pipeline(const PipelineKey& key) const {
  const std::lock_guard lock(mutex_);
  const PipelineStatus* found = Find(state_.pipelines, key);
  if (found == nullptr) {
    return NoSuchPipeline(key);
  }
  return *found;
}

std::string FakeControlPlane::Document() const { return R"({"version":"otel_dataflow/v1"})"; }

Result<std::string> FakeControlPlane::PipelineDocument(const PipelineKey& key) const {
  ARROW_RETURN_NOT_OK(Pipeline(key));
  const std::lock_guard lock(mutex_);
  return state_.document;
}

Result<OperationStatus> FakeControlPlane::Put(const PipelineKey& key, std::string_view text,
                                              const controller::RolloutOptions& options) {
  std::function<void()> on_put;
  With([&](State* state) {
    on_put = state->on_put;
    state->last_text = text;
    state->last_options = options;
    if (state->refusal.ok() && Find(state->pipelines, key) == nullptr) {
      PipelineStatus made;
      made.key = key;
      state->pipelines.push_back(made);
    }
  });
  if (on_put) {
    on_put();
  }
  return Accept(key, OperationStatus::Kind::kRollout, options.drain_timeout);
}

Result<OperationStatus> FakeControlPlane::Stop(const PipelineKey& key,
                                               std::chrono::nanoseconds drain_timeout) {
  return Accept(key, OperationStatus::Kind::kStop, drain_timeout);
}

Result<OperationStatus> FakeControlPlane::Start(const PipelineKey& key) {
  return Accept(key, OperationStatus::Kind::kStart, std::chrono::nanoseconds(0));
}

Result<OperationStatus> FakeControlPlane::Delete(const PipelineKey& key,
                                                 std::chrono::nanoseconds drain_timeout) {
  return Accept(key, OperationStatus::Kind::kDelete, drain_timeout);
}

/// Refuses as Accept does.
Status FakeControlPlane::Change(const PipelineKey& key, const std::string& call,
                                const std::function<void(PipelineStatus*)>& change) {
  const std::lock_guard lock(mutex_);
  ARROW_RETURN_NOT_OK(state_.refusal);
  const auto found = std::find_if(state_.pipelines.begin(), state_.pipelines.end(),
                                  [&key](const PipelineStatus& one) { return one.key == key; });
  if (found == state_.pipelines.end()) {
    return NoSuchPipeline(key);
  }
  state_.calls.push_back(fmt::format("{} {}/{}", call, key.group, key.pipeline));
  change(&*found);
  return Status::OK();
}

Status FakeControlPlane::Pause(const PipelineKey& key) {
  return Change(key, "pause", [](PipelineStatus* pipeline) {
    pipeline->paused = {{.node = "lake", .since = kThen, .num_batches = 0}};
  });
}

Status FakeControlPlane::Resume(const PipelineKey& key) {
  return Change(key, "resume", [](PipelineStatus* pipeline) { pipeline->paused.clear(); });
}

Status FakeControlPlane::Step(const PipelineKey& key, const engine::StepSize& size) {
  return Change(key, "step", [&](PipelineStatus*) { state_.last_step = size; });
}

Result<OperationStatus> FakeControlPlane::Accept(const PipelineKey& key, OperationStatus::Kind kind,
                                                 std::chrono::nanoseconds drain_timeout) {
  const std::lock_guard lock(mutex_);
  constexpr std::array kNames = {"put", "stop", "start", "delete"};
  state_.calls.push_back(
      fmt::format("{} {}/{}", kNames[static_cast<size_t>(kind)], key.group, key.pipeline));
  state_.last_options.drain_timeout = drain_timeout;
  ARROW_RETURN_NOT_OK(state_.refusal);
  if (Find(state_.pipelines, key) == nullptr) {
    return NoSuchPipeline(key);
  }
  ++state_.operation.id;
  state_.operation.kind = kind;
  state_.operation.state = OperationStatus::State::kRunning;
  state_.operation.reason = "";
  state_.operation.started = kThen;
  state_.operation.updated = kThen;
  state_.num_polls = 0;
  return state_.operation;
}

Result<OperationStatus> FakeControlPlane::Operation(const PipelineKey& key, uint64_t id) const {
  const std::lock_guard lock(mutex_);
  if (Find(state_.pipelines, key) == nullptr) {
    return NoSuchPipeline(key);
  }
  if (id != state_.operation.id || id == 0) {
    return Status::KeyError(fmt::format("there is no operation {}", id));
  }
  const int num_polls = state_.num_polls++;
  if (state_.polls_to_end >= 0 && num_polls >= state_.polls_to_end) {
    state_.operation.state = state_.end;
  }
  return state_.operation;
}

void FakeControlPlane::Reload(std::string_view, OnReload on_read) {
  Result<controller::ReloadOutcome> read = controller::ReloadOutcome{};
  std::function<void()> on_reload;
  With([&](State* state) {
    state->calls.emplace_back("reload");
    read = state->reload;
    on_reload = state->on_reload;
  });
  if (on_reload) {
    on_reload();
  } else {
    on_read(read);
  }
}

void FakeControlPlane::Shutdown(std::string_view) {
  With([](State* state) {
    state->is_draining = true;
    state->calls.push_back("shutdown");
  });
}

bool FakeControlPlane::is_draining() const {
  const std::lock_guard lock(mutex_);
  return state_.is_draining;
}

}  // namespace df::admin
