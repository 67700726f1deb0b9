// Everything that a node may do to its surroundings.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "engine/completion.h"
#include "engine/memory_account.h"
#include "engine/pdata.h"
#include "runtime/channel.h"
#include "runtime/event_loop.h"
#include "runtime/task.h"
#include "telemetry/metric_set.h"

namespace df::engine {

/// Which copy of a node this is.
struct InstanceInfo {
  std::string group;        ///< of the document
  std::string pipeline;     ///< of the document
  std::string node;         ///< name in the document
  int instance_index = 0;   ///< 0 .. num_instances - 1
  int num_instances = 1;    ///< pipelines of this document in the process, one a core
  std::optional<int> core;  ///< the core that the loop is pinned to; worker threads pin to the same
};

using PortIndex = int;
using TimerId = int;

/// The port that a node sends to when it names none: its only one, or `default_out_port`.
inline constexpr PortIndex kDefaultPort = -1;

class NodeRunner;

/// A Send under way: `co_await` it at once. Where there is room it neither waits nor allocates.
class [[nodiscard]] SendOperation {
 public:
  SendOperation(NodeRunner* runner, Pdata pdata, PortIndex port)
      : runner_(runner), port_(port), pdata_(std::move(pdata)) {}
  SendOperation(const SendOperation&) = delete;
  SendOperation& operator=(const SendOperation&) = delete;

  bool await_ready();
  bool await_suspend(std::coroutine_handle<> awaiting);
  bool await_resume() { return waiting_.has_value() ? waiting_->await_resume() : true; }

 private:
  NodeRunner* runner_;
  PortIndex port_;
  Pdata pdata_;
  runtime::Task<bool> finish_;
  std::optional<runtime::Task<bool>::Awaiter> waiting_;
};

/// One a node instance, from before its first call until after its report.
/// Calls: the loop of the instance.
class Effects {
 public:
  explicit Effects(NodeRunner* runner) : runner_(runner) {}

  /// Sends a batch and waits until every destination of the port has room. Returns false when the
  /// destination has ended: the batch is nacked then, and a drain is under way or near.
  /// A receiver waits first while the memory of the pipeline is over its soft limit.
  SendOperation Send(Pdata pdata, PortIndex port = kDefaultPort) {
    return SendOperation(runner_, std::move(pdata), port);
  }

  /// Hands a batch over if every destination of the port has room now (one of them, where the port
  /// chooses). On kFull and kClosed it is still the caller's.
  runtime::PushResult TrySend(Pdata& pdata, PortIndex port = kDefaultPort);

  /// The port behind kDefaultPort.
  PortIndex default_port() const;

  /// Returns the port of a name. Errors: Invalid when the document gives the node no such port.
  Result<PortIndex> FindPort(std::string_view name) const;

  /// Whether every destination of the port takes batches that are still requests.
  bool TakesEncoded(PortIndex port = kDefaultPort) const;

  /// Makes a token whose outcome goes to `handler`, and counts it for this node.
  CompletionToken MakeToken(CompletionHandler* handler, uint64_t calldata);
  /// The same, for a receiver whose sender does nothing before it has the outcome.
  CompletionToken MakeAwaitedToken(CompletionHandler* handler, uint64_t calldata);

  /// Whether senders wait for outcomes, and nothing but outcomes can be waited for: no batch of the
  /// pipeline is in a queue, or in a call of another node. An exporter that holds outcomes back
  /// until more has come holds up everybody then.
  bool all_wait() const;

  /// Calls OnTimer of the node every `period` (> 0) from now on, in place of an earlier timer of
  /// the same id. A tick that finds the one before still waiting is left out. Not for receivers:
  /// they have SleepFor.
  void StartTimer(TimerId id, std::chrono::nanoseconds period);
  /// Calls OnTimer once, at `deadline` or soon after, in place of an earlier timer of the same id.
  /// Never left out.
  void WakeAt(TimerId id, runtime::SteadyTime deadline);
  void CancelTimer(TimerId id);

  /// Waits. Returns false, and early, when a drain is requested.
  runtime::Task<bool> SleepFor(std::chrono::nanoseconds duration);

  /// Is requested when receivers have to stop; subscribe to it to end other waits.
  runtime::Cancellation& drain();
  bool is_draining() { return drain().is_requested(); }
  /// When a drain that is under way ends by force; nothing before that.
  std::optional<runtime::SteadyTime> drain_deadline() const;

  /// How full the memory of the pipeline is.
  MemoryPressure memory_pressure() const;

  const InstanceInfo& info() const;
  const runtime::Clock& clock() const;
  /// For channels from worker threads.
  runtime::EventLoop& loop();
  /// The counters of this node, in which it may add its own.
  telemetry::MetricSet& metrics();

 private:
  NodeRunner* runner_;
};

}  // namespace df::engine
