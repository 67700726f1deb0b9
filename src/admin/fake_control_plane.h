// An engine that does what a test says.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "controller/control_plane.h"

namespace df::admin {

/// Calls: from any thread.
class FakeControlPlane final : public controller::ControlPlane {
 public:
  struct State {
    std::vector<controller::PipelineStatus> pipelines;
    bool is_draining = false;
    bool throws = false;  ///< whatever it is asked for a list
    Status refusal;       ///< of the next operation; OK: it is accepted
    /// How often an accepted operation is asked about before it has ended; < 0: it never ends.
    int polls_to_end = 0;
    controller::OperationStatus::State end = controller::OperationStatus::State::kSucceeded;
    /// A shutdown has ended after as many looks at the pipelines; < 0: it never ends.
    int looks_to_end = -1;
    controller::OperationStatus operation;
    std::string last_text;         ///< of Put
    std::function<void()> on_put;  ///< called by Put, which others need not wait for
    std::string document = R"({"nodes":{"receiver":{}}})";  ///< of every pipeline
    controller::RolloutOptions last_options;
    Result<controller::ReloadOutcome> reload = controller::ReloadOutcome{};
    std::function<void()> on_reload;  ///< set: called by Reload, which tells nothing then
    std::vector<std::string> calls;   ///< "stop default/main"
    int num_polls = 0;
    engine::StepSize last_step;
  };

  /// One pipeline default/main that runs on cores 0 and 1.
  FakeControlPlane();

  /// Reads or changes the state while nobody else does.
  void With(const std::function<void(State*)>& visit);

  std::vector<controller::PipelineStatus> Pipelines() const override;
  Result<controller::PipelineStatus> Pipeline(const controller::PipelineKey& key) const override;
  std::string Document() const override;
  Result<std::string> PipelineDocument(const controller::PipelineKey& key) const override;
  Result<controller::OperationStatus> Put(const controller::PipelineKey& key, std::string_view text,
                                          const controller::RolloutOptions& options) override;
  Result<controller::OperationStatus> Stop(const controller::PipelineKey& key,
                                           std::chrono::nanoseconds drain_timeout) override;
  Result<controller::OperationStatus> Start(const controller::PipelineKey& key) override;
  Result<controller::OperationStatus> Delete(const controller::PipelineKey& key,
                                             std::chrono::nanoseconds drain_timeout) override;
  Result<controller::OperationStatus> Operation(const controller::PipelineKey& key,
                                                uint64_t id) const override;
  Status Pause(const controller::PipelineKey& key) override;
  Status Resume(const controller::PipelineKey& key) override;
  Status Step(const controller::PipelineKey& key, const engine::StepSize& size) override;
  void Reload(std::string_view asked_by, OnReload on_read) override;
  void Shutdown(std::string_view reason) override;
  bool is_draining() const override;
  telemetry::Registry& metrics() override { return registry_; }

 private:
  Status Change(const controller::PipelineKey& key, const std::string& call,
                const std::function<void(controller::PipelineStatus*)>& change);
  Result<controller::OperationStatus> Accept(const controller::PipelineKey& key,
                                             controller::OperationStatus::Kind kind,
                                             std::chrono::nanoseconds drain_timeout);

  mutable std::mutex mutex_;
  mutable State state_;
  telemetry::Registry registry_;
};

}  // namespace df::admin
