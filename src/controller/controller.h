// Runs the pipelines of a process on its cores, from start to end, and lets itself be told things.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controller/control_plane.h"
#include "controller/core_thread.h"
#include "controller/pipeline_plan.h"
#include "controller/run_result.h"
#include "controller/signal_policy.h"
#include "controller/supervisor.h"
#include "runtime/event_loop.h"

namespace df::controller {

/// What the document says when it is read again.
struct ReloadedPlans {
  std::vector<PipelinePlanPtr> plans;  ///< in its order
  /// Pipelines that it had when it was read the last time, and has no more.
  std::vector<PipelineKey> removed;
  std::vector<std::string> notices;  ///< for the log
};

struct ControllerOptions {
  bool pins_threads = true;  ///< false: the threads of cores run where the system puts them
  /// Somebody may tell it things: pipelines that an operation has stopped do not end the process.
  bool stays_up = false;
  uint64_t seed = 0;  ///< of the jitter of restarts
  /// How often instances bring their gauges up to date.
  std::chrono::nanoseconds collect_interval = std::chrono::seconds(1);

  /// Called when waiting has to end now (a second signal, or a thread that does not end after its
  /// drain timeout); must not return. Calls: the thread that runs.
  std::function<void(const std::string& why)> on_force;

  /// Checks the text of one pipeline and gives it its cores, beside `others`. Without it pipelines
  /// cannot be put. Errors: config, every problem on a line of its own. Calls: any thread.
  std::function<Result<PipelinePlanPtr>(const PipelineKey& key, std::string_view text,
                                        std::span<const PipelinePlanPtr> others)>
      check;
  /// Reads the document again. Without it nothing is reloaded. Errors: why it cannot
  /// be; config, every problem on a line of its own, where it is wrong. Calls: a thread that may
  /// wait.
  std::function<Result<ReloadedPlans>()> reload;
  /// Called once, when every pipeline is ready, and once when the end has begun. Calls: the thread
  /// that runs, which must not wait.
  std::function<void()> on_ready;
  std::function<void()> on_ending;
  /// Prints the whole document with the plans that are in force. Calls: any thread.
  std::function<std::string(std::span<const PipelinePlanPtr>)> print;
};

/// One loop and one thread a core, made when a pipeline first needs the core, and shared by all
/// pipelines; what they shall do is decided by a Supervisor.
class Controller final : public ControlPlane, private InstanceHost {
 public:
  /// Makes what instances share; starts nothing. Plans have different keys.
  /// Errors: of a node, naming it.
  static Result<std::unique_ptr<Controller>> Make(std::vector<PipelinePlanPtr> plans,
                                                  ControllerOptions options);
  ~Controller();

  /// Runs until nothing runs any more, or until a shutdown has drained everything. SIGINT and
  /// SIGTERM shut down; another one, half a second later or more, forces. SIGHUP reads the document
  /// again and rolls out what has changed; where that is wrong or cannot be, nothing happens.
  /// Calls: once.
  RunResult Run();

  std::vector<PipelineStatus> Pipelines() const override;
  Result<PipelineStatus> Pipeline(const PipelineKey& key) const override;
  std::string Document() const override;
  Result<std::string> PipelineDocument(const PipelineKey& key) const override;
  Result<OperationStatus> Put(const PipelineKey& key, std::string_view text,
                              const RolloutOptions& options) override;
  Result<OperationStatus> Stop(const PipelineKey& key,
                               std::chrono::nanoseconds drain_timeout) override;
  Result<OperationStatus> Start(const PipelineKey& key) override;
  Result<OperationStatus> Delete(const PipelineKey& key,
                                 std::chrono::nanoseconds drain_timeout) override;
  Result<OperationStatus> Operation(const PipelineKey& key, uint64_t id) const override;
  Status Pause(const PipelineKey& key) override;
  Status Resume(const PipelineKey& key) override;
  Status Step(const PipelineKey& key, const engine::StepSize& size) override;
  void Reload(std::string_view asked_by, OnReload on_read) override;
  void Shutdown(std::string_view reason) override;
  bool is_draining() const override;
  telemetry::Registry& metrics() override { return registry_; }

 private:
  Controller(std::vector<ConfigurationPtr> configurations, ControllerOptions options);

  void StartInstance(const InstanceOrder& order) override;
  void DrainInstance(int core, InstanceId id, std::chrono::nanoseconds timeout) override;
  void ApplyConfig(int core, InstanceId id, ConfigurationPtr configuration,
                   std::vector<size_t> nodes) override;
  void PrepareShared(uint64_t operation, ConfigurationPtr configuration) override;
  void CountRestart(const PipelineKey& key, int core, int instance_index) override;
  void ForgetPipeline(const PipelineKey& key) override;
  void EndProcess(const std::string& why) override;

  CoreThread& CoreOf(int core);
  CoreThread& Preparation();
  std::unique_ptr<CoreThread> MakeThread(std::string name, std::optional<int> core);
  Result<std::vector<engine::NamedSource>> SourcesOf(const PipelineKey& key) const;
  void Tell(std::function<void(Supervisor&)> event);
  Result<OperationStatus> Ask(std::function<Result<OperationStatus>(Supervisor&)> question);
  void Follow();
  void TellProgress();
  void EndThreads();
  void OnThreadEnded();
  void OnSignal(int signal);
  /// Somebody wants the document to be read again.
  struct ReloadWish {
    std::string asked_by;
    OnReload on_read;
  };
  void BeginReload(std::vector<ReloadWish> wishes);
  Status CheckReload() const;
  void FinishReload(const Result<ReloadedPlans>& reloaded);
  void CollectFromCores();

  const ControllerOptions options_;
  telemetry::Registry registry_;
  runtime::EventLoop loop_;   // of the thread that runs
  mutable std::mutex mutex_;  // guards what follows up to the threads
  Supervisor supervisor_;
  std::map<int, std::unique_ptr<CoreThread>> cores_;
  std::unique_ptr<CoreThread> preparation_;  // for what may take long, and belongs to no core
  std::vector<ConfigurationPtr> first_;      // until Run
  bool is_ending_ = false;
  // Only on the loop.
  size_t num_threads_left_ = 0;
  SignalPolicy signals_;
  std::vector<ReloadWish> reloading_;     // whose document is being read
  std::vector<ReloadWish> reload_after_;  // these came later: it is read once more
  bool has_told_ready_ = false;
  bool has_told_ending_ = false;
  runtime::Timer deadline_;
  runtime::Timer join_deadline_;
};

/// Runs pipelines from start to end, with nobody to tell them anything but signals.
Result<RunResult> RunPipelines(std::vector<PipelinePlanPtr> plans, ControllerOptions options);

}  // namespace df::controller
