#include "controller/controller.h"

#include <csignal>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/logging.h"
#include "engine/pipeline_instance.h"
#include "runtime/event_loop.h"
#include "runtime/signals.h"
#include "runtime/worker_thread.h"
#include "telemetry/metric_set.h"

namespace df::controller {
namespace {

/// One core: its loop, its thread, and the pipeline that only that thread touches.
class Core {
 public:
  Core(const engine::CheckedPipeline& pipeline, std::span<const engine::NodeSharedPtr> shared,
       telemetry::Registry* registry, engine::PipelineInstance::Options options,
       std::function<void()> on_end)
      : pipeline_(pipeline),
        shared_(shared),
        registry_(registry),
        options_(options),
        on_end_(std::move(on_end)) {}

  void StartThread() {
    thread_ = runtime::WorkerThread(fmt::format("df-core-{}", options_.instance_index),
                                    options_.core, [this] { Run(); });
  }

  void RequestDrain() {
    loop_.Post([this] {
      if (instance_ != nullptr) {
        instance_->RequestDrain();
      }
    });
  }

  /// Waits for the thread and returns how its pipeline has ended.
  engine::InstanceResult Join() {
    thread_.Join();
    return std::move(result_);
  }

 private:
  void Run() {
    auto made = engine::PipelineInstance::Make(pipeline_, shared_, &loop_, registry_, options_);
    if (made.ok()) {
      instance_ = std::move(made).ValueUnsafe();
      instance_->Start([this] { loop_.Stop(); });
      loop_.Run();
      result_ = instance_->TakeResult();
      instance_.reset();
    } else {
      result_.errors.push_back(made.status().message());
      LogError("instance {}: {}", options_.instance_index, made.status().message());
    }
    on_end_();
  }

  const engine::CheckedPipeline& pipeline_;
  std::span<const engine::NodeSharedPtr> shared_;
  telemetry::Registry* registry_;
  engine::PipelineInstance::Options options_;
  std::function<void()> on_end_;
  runtime::EventLoop loop_;
  std::unique_ptr<engine::PipelineInstance> instance_;
  engine::InstanceResult result_;
  runtime::WorkerThread thread_;
};

Result<std::vector<engine::NodeSharedPtr>> MakeShared(const engine::CheckedPipeline& pipeline,
                                                      int num_cores) {
  std::vector<engine::NodeSharedPtr> shared;
  for (const engine::CheckedNode& node : pipeline.nodes) {
    engine::NodeSharedPtr made;
    if (node.descriptor->make_shared != nullptr) {
      auto result = node.descriptor->make_shared(*node.config, {.num_cores = num_cores});
      if (!result.ok()) {
        return result.status().WithMessage(
            fmt::format("node '{}': {}", node.name, result.status().message()));
      }
      made = std::move(result).ValueUnsafe();
    }
    shared.push_back(std::move(made));
  }
  return shared;
}

engine::NodeReport MergeReports(const engine::CheckedNode& node, const engine::NodeShared* shared,
                                std::span<const engine::NodeReport> reports) {
  if (node.descriptor->merge_reports != nullptr) {
    return node.descriptor->merge_reports(shared, reports);
  }
  engine::NodeReport merged;
  for (size_t i = 0; i < reports.size(); ++i) {
    merged.num_problems += reports[i].num_problems;
    for (const std::string& line : reports[i].lines) {
      merged.lines.push_back(reports.size() == 1 ? line : fmt::format("instance {}: {}", i, line));
    }
  }
  return merged;
}

/// Waits on the main thread for cores to end and for signals.
class Supervisor {
 public:
  Supervisor(const RunOptions& options, size_t num_cores)
      : options_(options),
        num_running_(num_cores),
        join_deadline_(&loop_, [this] { options_.on_force("a thread does not end"); }),
        signals_(&loop_, [this](int signal) { OnSignal(signal); }) {}

  void AddCore(Core* core) { cores_.push_back(core); }

  /// Calls: from any thread.
  void OnCoreEnded() {
    loop_.Post([this] {
      if (--num_running_ == 0) {
        loop_.Stop();
      }
    });
  }

  std::optional<int> Wait() {
    loop_.Run();
    return signal_;
  }

 private:
  void OnSignal(int signal) {
    const char* name = signal == SIGINT ? "SIGINT" : "SIGTERM";
    if (signal_.has_value()) {
      options_.on_force(fmt::format("{} while draining", name));
      return;
    }
    LogInfo("{}: draining; a second signal ends the process at once", name);
    signal_ = signal;
    join_deadline_.StartAt(loop_.clock().Now() + options_.drain_timeout + kJoinGrace);
    for (Core* core : cores_) {
      core->RequestDrain();
    }
  }

  const RunOptions& options_;
  runtime::EventLoop loop_;
  size_t num_running_;
  std::optional<int> signal_;
  std::vector<Core*> cores_;
  runtime::Timer join_deadline_;
  runtime::SignalListener signals_;
};

void AddResult(engine::InstanceResult instance, RunResult* result,
               std::vector<std::vector<engine::NodeReport>>* reports) {
  if (instance.was_forced && result->outcome == Outcome::kClean) {
    result->outcome = Outcome::kForced;
  }
  if (!instance.errors.empty()) {
    result->outcome = Outcome::kFailed;
  }
  result->num_abandoned += instance.num_abandoned;
  for (std::string& error : instance.errors) {
    result->errors.push_back(std::move(error));
  }
  for (size_t i = 0; i < instance.reports.size(); ++i) {
    (*reports)[i].push_back(std::move(instance.reports[i]));
  }
}

}  // namespace

Result<RunResult> RunPipeline(const engine::CheckedPipeline& pipeline, const RunOptions& options) {
  const auto start = runtime::SystemClock().Now();
  const int num_cores = static_cast<int>(options.cores.size());
  ARROW_ASSIGN_OR_RAISE(const std::vector<engine::NodeSharedPtr> shared,
                        MakeShared(pipeline, num_cores));
  telemetry::Registry registry;
  Supervisor supervisor(options, options.cores.size());
  std::vector<std::unique_ptr<Core>> cores;
  for (int i = 0; i < num_cores; ++i) {
    const std::optional<int> core =
        options.pins_threads ? std::optional(options.cores[static_cast<size_t>(i)]) : std::nullopt;
    cores.push_back(std::make_unique<Core>(
        pipeline, shared, &registry,
        engine::PipelineInstance::Options{.instance_index = i,
                                          .num_instances = num_cores,
                                          .core = core,
                                          .drain_timeout = options.drain_timeout},
        [&supervisor] { supervisor.OnCoreEnded(); }));
    supervisor.AddCore(cores.back().get());
  }
  for (const auto& core : cores) {
    core->StartThread();
  }

  LogInfo("running on {} cores: {}", num_cores, fmt::join(options.cores, ","));

  RunResult result;
  result.signal = supervisor.Wait();
  std::vector<std::vector<engine::NodeReport>> reports(pipeline.nodes.size());
  for (const auto& core : cores) {
    AddResult(core->Join(), &result, &reports);
  }
  for (size_t i = 0; i < pipeline.nodes.size(); ++i) {
    const engine::CheckedNode& node = pipeline.nodes[i];
    result.nodes.push_back({node.name, std::string(node.descriptor->urn),
                            MergeReports(node, shared[i].get(), reports[i])});
  }
  result.metrics = registry.Dump();
  result.elapsed = runtime::SystemClock().Now() - start;
  return result;
}

}  // namespace df::controller
