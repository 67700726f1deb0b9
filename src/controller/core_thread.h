// One core: its thread, its loop, and the instances of all pipelines that run on it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/instance_host.h"
#include "engine/pipeline_instance.h"
#include "runtime/event_loop.h"
#include "runtime/worker_thread.h"
#include "telemetry/metric_set.h"

namespace df::controller {

/// Calls: from any thread, unless said otherwise. Everything is done on the loop, in the order of
/// the calls.
class CoreThread {
 public:
  /// What the core tells. Calls: its thread; they do not wait.
  struct Events {
    std::function<void(InstanceId)> on_started;
    std::function<void(InstanceId, engine::InstanceResult)> on_ended;
    std::function<void(InstanceId, Status)> on_applied;
    std::function<void(InstanceId, engine::DestinationState)> on_destination;
    std::function<void()> on_thread_ended;
  };

  struct Options {
    std::string name;
    std::optional<int> core;  ///< that the thread is bound to
    /// How often instances bring their gauges up to date; 0: only when they are asked.
    std::chrono::nanoseconds collect_interval{0};
  };

  /// Starts the thread. `registry` is borrowed and outlives it.
  CoreThread(Options options, telemetry::Registry* registry, Events events);
  /// Ends the thread and waits for it.
  ~CoreThread();

  void StartInstance(const InstanceOrder& order);
  void DrainInstance(InstanceId id, std::chrono::nanoseconds timeout);
  void ApplyConfig(InstanceId id, ConfigurationPtr configuration, std::vector<size_t> nodes);

  /// Brings the gauges of the core and its instances up to date, then calls `on_done` on the loop.
  void Collect(std::function<void()> on_done);

  /// Runs `action` on the loop.
  void Post(std::function<void()> action) { loop_.Post(std::move(action)); }

  /// Makes the thread end: on_thread_ended. Instances that are left are destroyed first.
  void RequestEnd();

 private:
  struct Hosted {
    ConfigurationPtr configuration;  // which the instance borrows
    std::unique_ptr<engine::PipelineInstance> instance;
  };

  void Run();
  void Make(const InstanceOrder& order);
  Status StartNow(const InstanceOrder& order);
  void End(InstanceId id, engine::InstanceResult result);
  void Destroy(InstanceId id);
  Status ApplyNow(InstanceId id, const Configuration& configuration,
                  const std::vector<size_t>& nodes);
  void CollectNow();

  const Options options_;
  telemetry::Registry* registry_;
  Events events_;
  telemetry::Counter& cpu_time_;
  telemetry::Gauge& num_instances_;
  runtime::EventLoop loop_;
  std::map<InstanceId, Hosted> instances_;  // only on the loop
  runtime::WorkerThread thread_;            // last: it uses everything above
};

}  // namespace df::controller
