// What may be asked of a running engine from outside its pipelines.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/policies.h"
#include "engine/held_sources.h"
#include "runtime/clock.h"
#include "telemetry/metric_set.h"

namespace df::controller {

/// Names one pipeline of a document.
struct PipelineKey {
  std::string group;
  std::string pipeline;
  auto operator<=>(const PipelineKey&) const = default;
};

/// One pipeline on one core.
struct InstanceStatus {
  int instance_index = 0;
  std::optional<int> core;
  config::InstancePhase phase = config::InstancePhase::kPending;
  uint64_t generation = 0;
  int64_t num_restarts = 0;  ///< since the process began
  std::string reason;        ///< why it is in this phase; empty when there is nothing to say
  runtime::WallTime since;   ///< when the phase began
};

/// An exporter that delivers nothing: every batch that it was given lately was refused.
struct FailingDestination {
  std::string node;
  std::optional<int> core;
  runtime::WallTime since;
  int64_t num_refused = 0;  ///< batches, each attempt by itself, since the exporter was started
  std::string reason;       ///< of a late refusal
};

/// A receiver that is paused: nothing of it goes out.
struct PausedNode {
  std::string node;
  runtime::WallTime since;
  int64_t num_batches = 0;  ///< that steps have let through since then
};

/// What was asked of a pipeline and goes on, or has ended.
struct OperationStatus {
  enum class Kind : uint8_t { kRollout, kStop, kStart, kDelete };
  enum class State : uint8_t {
    kPending,
    kRunning,
    kSucceeded,
    kFailed,
    kRollingBack,
    kRolledBack,
    kRollbackFailed,
  };
  uint64_t id = 0;
  Kind kind = Kind::kRollout;
  State state = State::kPending;
  /// Of a rollout: create, noop, apply_in_place, resize, replace; take_back where the engine has
  /// begun it.
  std::string action;
  std::string reason;  ///< of a failure; of a success, what is to be known about it
  runtime::WallTime started;
  runtime::WallTime updated;
};

struct PipelineStatus {
  PipelineKey key;
  config::InstancePhase phase = config::InstancePhase::kPending;  ///< over all cores
  uint64_t generation = 0;                                        ///< the newest one
  bool is_live = true;
  bool is_ready = false;
  std::vector<InstanceStatus> instances;
  std::vector<FailingDestination> failing;  ///< of instances that serve; by core and node
  std::vector<PausedNode> paused;           ///< by node
  std::vector<OperationStatus> operations;  ///< the newest last; ended ones are kept for a while
};

struct RolloutOptions {
  /// To become ready; and then to deliver something of what comes.
  std::chrono::nanoseconds step_timeout = std::chrono::seconds(60);
  std::chrono::nanoseconds drain_timeout = std::chrono::seconds(60);  ///< of what is replaced
  bool is_proven = true;  ///< whether what delivers nothing is taken back
};

/// A pipeline that the document has otherwise than before, or no more.
struct ReloadChange {
  PipelineKey key;
  Result<OperationStatus> operation;  ///< what it began; a refusal leaves the pipeline as it is
};

struct ReloadOutcome {
  std::vector<ReloadChange> changes;
  std::vector<std::string> notices;  ///< what else is to be known
};

/// Calls: from any thread; none waits for a pipeline. Operations go on after they have been
/// accepted: their status tells how they ended.
/// Errors: KeyError (no such pipeline or operation), AlreadyExists (another operation of this
/// pipeline is under way), Invalid (config: every problem on a line of its own), Cancelled (the
/// engine is shutting down).
class ControlPlane {
 public:
  virtual ~ControlPlane() = default;

  virtual std::vector<PipelineStatus> Pipelines() const = 0;
  virtual Result<PipelineStatus> Pipeline(const PipelineKey& key) const = 0;

  /// The effective document as JSON, with secrets replaced; of the whole, or of one pipeline.
  virtual std::string Document() const = 0;
  virtual Result<std::string> PipelineDocument(const PipelineKey& key) const = 0;

  /// Creates the pipeline, or changes it to `text` (one entry of `pipelines`, YAML or JSON): each
  /// core is replaced when its successor is ready; when one does not become ready everything is
  /// taken back. So it is when an exporter of the successors refuses everything that comes within
  /// `step_timeout`, where its predecessor did not; an exporter whose configuration has not changed
  /// only when it refuses permanently. The rest goes on as it is.
  virtual Result<OperationStatus> Put(const PipelineKey& key, std::string_view text,
                                      const RolloutOptions& options) = 0;
  virtual Result<OperationStatus> Stop(const PipelineKey& key,
                                       std::chrono::nanoseconds drain_timeout) = 0;
  virtual Result<OperationStatus> Start(const PipelineKey& key) = 0;
  virtual Result<OperationStatus> Delete(const PipelineKey& key,
                                         std::chrono::nanoseconds drain_timeout) = 0;
  virtual Result<OperationStatus> Operation(const PipelineKey& key, uint64_t id) const = 0;

  /// Holds each receiver of the pipeline that can be held before its next batch, lets them go on,
  /// or lets some of what they hold through. One that replaces them is not held. Errors: KeyError,
  /// NotImplemented where no receiver that runs can be held, Invalid for a step of what is
  /// not paused, or has no times to go by.
  virtual Status Pause(const PipelineKey& key) = 0;
  virtual Status Resume(const PipelineKey& key) = 0;
  virtual Status Step(const PipelineKey& key, const engine::StepSize& size) = 0;

  /// Reads the document again and rolls out what has changed, as a SIGHUP does. `on_read` is told
  /// once what that has begun, on any thread; not at all where the engine ends before.
  /// Errors, by `on_read`: as above, io for a file that cannot be read, NotImplemented where the
  /// document did not come from a file. Nothing is changed then.
  using OnReload = std::function<void(const Result<ReloadOutcome>&)>;
  virtual void Reload(std::string_view asked_by, OnReload on_read) = 0;

  /// Drains everything and ends the process; as a first SIGTERM does.
  virtual void Shutdown(std::string_view reason) = 0;
  virtual bool is_draining() const = 0;

  /// Brings metrics that are not always up to date up to date, then reads all.
  virtual telemetry::Registry& metrics() = 0;
};

}  // namespace df::controller
