// Drives one node instance: its inbox, ports, timers and counters.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/graph.h"
#include "engine/inbox.h"
#include "engine/node.h"
#include "engine/out_port.h"
#include "runtime/event_loop.h"

namespace df::engine {

using AnyNode =
    std::variant<std::unique_ptr<Receiver>, std::unique_ptr<Processor>, std::unique_ptr<Exporter>>;

/// Makes the node of a descriptor. Errors: those of the factory.
Result<AnyNode> MakeNode(const CheckedNode& checked, const NodeSharedPtr& shared,
                         const InstanceInfo& info);

/// Calls a node one call at a time, and is behind its Effects. Calls: the loop of the instance.
class NodeRunner {
 public:
  /// Everything is borrowed and outlives the runner, except the node.
  NodeRunner(AnyNode node, InstanceInfo info, runtime::EventLoop* loop,
             runtime::Cancellation* drain, InboxLimits limits, telemetry::Registry* registry);
  ~NodeRunner();
  NodeRunner(const NodeRunner&) = delete;
  NodeRunner& operator=(const NodeRunner&) = delete;

  /// Connects the ports; called once for every node before any runs.
  void Connect(std::vector<OutPort> ports, PortIndex default_port);

  /// Calls Start of the node.
  Status Start();

  /// Runs the node to its end. An exception out of it becomes an error.
  runtime::Task<Status> Run();

  /// Stops timers; what waits in front of the node is nacked.
  void End(const std::string& reason, NackCause cause);

  NodeReport Report();

  /// Destroys the node, so that what it still holds is completed while its senders exist.
  void DestroyNode() { node_ = AnyNode(); }

  Inbox& inbox() { return inbox_; }
  const InstanceInfo& info() const { return info_; }

 private:
  friend class Effects;
  class PeriodicTimer;

  runtime::Task<Status> RunReceiver(Receiver* receiver);
  template <typename Node>
  runtime::Task<Status> RunConsumer(Node* node);
  Result<PortIndex> FindPort(std::string_view name) const;
  runtime::Task<bool> Send(Pdata pdata, PortIndex port);
  void StartTimer(TimerId id, std::chrono::nanoseconds period);

  AnyNode node_;
  InstanceInfo info_;
  runtime::EventLoop* loop_;
  runtime::Cancellation* drain_;
  telemetry::MetricSet& metrics_;
  telemetry::Counter& batches_in_;
  telemetry::Counter& items_in_;
  telemetry::Counter& batches_out_;
  telemetry::Counter& items_out_;
  OutcomeCounters outcomes_;
  Inbox inbox_;
  std::vector<OutPort> ports_;
  PortIndex default_port_ = 0;
  std::map<TimerId, std::unique_ptr<PeriodicTimer>> timers_;
  Effects effects_;
};

}  // namespace df::engine
