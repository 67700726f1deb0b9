// Drives one node instance: its inbox, ports, timers and counters.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/destination_watch.h"
#include "engine/graph.h"
#include "engine/inbox.h"
#include "engine/memory_account.h"
#include "engine/node.h"
#include "engine/node_metrics.h"
#include "engine/out_port.h"
#include "engine/tap.h"
#include "runtime/event_loop.h"

namespace df::engine {

using AnyNode =
    std::variant<std::unique_ptr<Receiver>, std::unique_ptr<Processor>, std::unique_ptr<Exporter>>;

/// Makes the node of a descriptor. Errors: those of the factory.
Result<AnyNode> MakeNode(const CheckedNode& checked, const NodeSharedPtr& shared,
                         const InstanceInfo& info);

/// What the nodes of one instance share.
struct InstanceContext {
  InstanceContext(runtime::EventLoop* instance_loop, telemetry::Registry* instance_registry,
                  config::MetricsLevel level, MemoryAccount::Limits limits)
      : loop(instance_loop),
        registry(instance_registry),
        metrics_level(level),
        memory(instance_loop, limits) {}

  runtime::EventLoop* loop;
  telemetry::Registry* registry;
  config::MetricsLevel metrics_level;
  runtime::Cancellation drain;
  std::optional<runtime::SteadyTime> drain_deadline;
  MemoryAccount memory;
  /// Called when a node fails outside its own calls; set before any node runs.
  std::function<void(const std::string& node, const std::string& what)> on_node_error;
  /// What Effects::all_wait says; set before any node runs.
  std::function<bool()> all_wait;
  /// Called when an exporter begins to deliver or to fail; may be null.
  DestinationWatch::OnChange on_destination;
};

/// Calls a node one call at a time, and is behind its Effects. Calls: the loop of the instance.
class NodeRunner {
 public:
  /// `context` is borrowed and outlives the runner.
  NodeRunner(AnyNode node, const NodeDescriptor& descriptor, InstanceInfo info,
             InstanceContext* context, InboxLimits limits);
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

  /// From now on tokens of this node that fall are nacks of an ended node with this reason.
  void Abandon(const std::string* reason) {
    tokens_.end_reason = reason;
    awaited_tokens_.end_reason = reason;
  }

  /// The node has failed: takes its report and destroys it, so that what it still holds has an
  /// outcome while others wait for one. A node that has batches downstream stays: it hears of them.
  void Retire();

  /// Asks the node; an exception out of it is a problem of the report.
  NodeReport Report();

  /// Destroys the node, so that what it still holds is completed while its senders exist.
  void DestroyNode() { node_ = AnyNode(); }

  /// The control calls of the node; nothing happens when it has been destroyed.
  Status ApplyConfig(const NodeConfigPtr& config);
  void TellMemoryPressure(MemoryPressure pressure);
  void Collect();

  /// Batches sent with a token of this node that have no outcome yet.
  int64_t num_unanswered() const { return tokens_.num_pending + awaited_tokens_.num_pending; }
  /// Those among them for which a sender waits.
  int64_t num_awaited() const { return awaited_tokens_.num_pending; }
  /// Of an exporter; null for other nodes.
  const DestinationWatch* destination() const { return destination_.get(); }

  /// Whether a call with a batch is going on.
  bool is_in_batch() const { return is_in_batch_; }

  Inbox& inbox() { return inbox_; }
  const InstanceInfo& info() const { return info_; }

 private:
  friend class Effects;
  friend class SendOperation;
  class NodeTimer;

  runtime::Task<Status> RunReceiver(Receiver* receiver);
  template <typename Node>
  runtime::Task<Status> RunConsumer(Node* node);
  bool Decode(Pdata& pdata);
  Result<PortIndex> FindPort(std::string_view name) const;
  bool MustWaitForMemory(const Pdata& pdata) const {
    return std::holds_alternative<std::unique_ptr<Receiver>>(node_) &&
           !context_->memory.Admits(pdata.charge.size_bytes());
  }
  /// Returns what taps see once it is sent, or null: of receivers; of others they see what these
  /// take.
  otap::BatchPtr ToShow(const Pdata& pdata) const {
    return tap_->is_open() && std::holds_alternative<std::unique_ptr<Receiver>>(node_) ? pdata.batch
                                                                                       : nullptr;
  }
  void Show(const otap::BatchPtr& batch) const {
    if (batch != nullptr) {
      tap_->Offer(*batch);
    }
  }
  bool BeginSend(Pdata& pdata, PortIndex port);
  runtime::Task<bool> FinishSend(Pdata pdata, PortIndex port);
  runtime::PushResult TrySend(Pdata& pdata, PortIndex port);
  bool TakesEncoded(PortIndex port) { return PortOf(port).takes_encoded(); }
  OutPort& PortOf(PortIndex port) {
    return ports_[static_cast<size_t>(port == kDefaultPort ? default_port_ : port)];
  }
  void StartTimer(TimerId id, std::chrono::nanoseconds period);
  void WakeAt(TimerId id, runtime::SteadyTime deadline);
  Controllable* controllable();
  void SetUp(TokenSource* tokens);

  std::unique_ptr<DestinationWatch> destination_;  // outlives the tokens that the node holds
  AnyNode node_;
  bool takes_encoded_;
  std::optional<NodeReport> report_;  // of a node that was destroyed before its pipeline
  InstanceInfo info_;
  InstanceContext* context_;
  NodeMetrics metrics_;
  const std::shared_ptr<TapPoint> tap_;
  int64_t shown_failing_ = 0;  // what the gauge has of this node
  TokenSource tokens_;
  TokenSource awaited_tokens_;
  Inbox inbox_;
  std::vector<OutPort> ports_;
  PortIndex default_port_ = 0;
  bool is_in_batch_ = false;
  std::chrono::nanoseconds waited_{0};  // for room, in the call that goes on
  std::map<TimerId, std::unique_ptr<NodeTimer>> timers_;
  Effects effects_;
};

}  // namespace df::engine
