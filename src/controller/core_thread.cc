#include "controller/core_thread.h"

#include <ctime>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "telemetry/names.h"

namespace df::controller {
namespace {

telemetry::MetricSet& CoreMetrics(telemetry::Registry* registry,
                                  const CoreThread::Options& options) {
  const std::string id = options.core.has_value() ? std::to_string(*options.core) : options.name;
  return registry->FindOrAdd(telemetry::names::kCoreScope,
                             {{std::string(telemetry::names::kCoreId), id}});
}

}  // namespace

CoreThread::CoreThread(Options options, telemetry::Registry* registry, Events events)
    : options_(std::move(options)),
      registry_(registry),
      events_(std::move(events)),
      cpu_time_(CoreMetrics(registry, options_).AddCounter(telemetry::names::kCoreCpuTime)),
      num_instances_(CoreMetrics(registry, options_).AddGauge(telemetry::names::kCoreInstances)),
      thread_(options_.name, options_.core, [this] { Run(); }) {}

CoreThread::~CoreThread() {
  RequestEnd();
  thread_.Join();
}

void CoreThread::RequestEnd() {
  loop_.Post([this] { loop_.Stop(); });
}

void CoreThread::Run() {
  loop_.Run();
  instances_.clear();
  events_.on_thread_ended();
}

void CoreThread::StartInstance(const InstanceOrder& order) {
  loop_.Post([this, order] { Make(order); });
}

void CoreThread::Make(const InstanceOrder& order) {
  Status status;
  try {
    status = StartNow(order);
  } catch (const std::exception& error) {
    status = Status::UnknownError(error.what());
  }
  if (!status.ok()) {
    engine::InstanceResult result;
    result.errors.push_back(status.message());
    End(order.id, std::move(result));
  }
}

Status CoreThread::StartNow(const InstanceOrder& order) {
  engine::PipelineInstance::Options options;
  options.instance_index = order.instance_index;
  options.num_instances = order.num_instances;
  options.core = options_.core;
  options.collect_interval = options_.collect_interval;
  options.on_destination = [this, id = order.id](const engine::DestinationState& state) {
    events_.on_destination(id, state);
  };
  Hosted hosted;
  hosted.configuration = order.configuration;
  ARROW_ASSIGN_OR_RAISE(
      hosted.instance,
      engine::PipelineInstance::Make(order.configuration->plan->pipeline,
                                     order.configuration->shared, &loop_, registry_, options));
  engine::PipelineInstance* instance = hosted.instance.get();
  const InstanceId id = order.id;
  instances_.emplace(id, std::move(hosted));
  num_instances_.Set(static_cast<int64_t>(instances_.size()));
  // Not from inside the call: it comes out of a coroutine of the instance.
  instance->Start([this, id] { loop_.Post([this, id] { Destroy(id); }); });
  // An instance whose nodes could not be started has posted its end by now, which comes first.
  loop_.Post([this, id] {
    const auto found = instances_.find(id);
    if (found != instances_.end() && !found->second.instance->has_ended()) {
      events_.on_started(id);
    }
  });
  return Status::OK();
}

void CoreThread::Destroy(InstanceId id) {
  engine::InstanceResult result;
  try {
    result = instances_.at(id).instance->TakeResult();
  } catch (const std::exception& error) {
    result.errors.emplace_back(error.what());
  }
  End(id, std::move(result));
}

void CoreThread::End(InstanceId id, engine::InstanceResult result) {
  instances_.erase(id);
  num_instances_.Set(static_cast<int64_t>(instances_.size()));
  events_.on_ended(id, std::move(result));
}

void CoreThread::DrainInstance(InstanceId id, std::chrono::nanoseconds timeout) {
  loop_.Post([this, id, timeout] {
    const auto found = instances_.find(id);
    if (found != instances_.end()) {
      found->second.instance->RequestDrain(timeout);
    }
  });
}

void CoreThread::ApplyConfig(InstanceId id, ConfigurationPtr configuration,
                             std::vector<size_t> nodes) {
  loop_.Post([this, id, configuration = std::move(configuration), nodes = std::move(nodes)] {
    events_.on_applied(id, ApplyNow(id, *configuration, nodes));
  });
}

Status CoreThread::ApplyNow(InstanceId id, const Configuration& configuration,
                            const std::vector<size_t>& nodes) {
  const auto found = instances_.find(id);
  if (found == instances_.end() || found->second.instance->has_ended()) {
    return Status::Cancelled("the instance has ended");
  }
  for (const size_t node : nodes) {
    const engine::CheckedNode& checked = configuration.plan->pipeline.nodes[node];
    Status status;
    try {
      status = found->second.instance->ApplyConfig(node, checked.config);
    } catch (const std::exception& error) {
      status = Status::UnknownError(error.what());
    }
    if (!status.ok()) {
      return status.WithMessage(fmt::format("node '{}': {}", checked.name, status.message()));
    }
  }
  return Status::OK();
}

void CoreThread::Collect(std::function<void()> on_done) {
  loop_.Post([this, on_done = std::move(on_done)] {
    CollectNow();
    on_done();
  });
}

void CoreThread::CollectNow() {
  timespec used{};
  if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) == 0) {
    cpu_time_.Set(int64_t{1'000'000'000} * used.tv_sec + used.tv_nsec);
  }
  for (const auto& [id, hosted] : instances_) {
    try {
      hosted.instance->Collect();
    } catch (const std::exception& error) {
      LogWarning("metrics of an instance cannot be collected: {}", error.what());
    }
  }
}

}  // namespace df::controller
