// One pipeline on one core, from its first node to its last report.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/graph.h"
#include "engine/node.h"
#include "engine/node_runner.h"
#include "runtime/channel.h"
#include "runtime/event_loop.h"
#include "telemetry/metric_set.h"

namespace df::engine {

/// How a pipeline has ended.
struct InstanceResult {
  std::vector<std::string> errors;  ///< "node 'x': cause"; empty when every node ended well
  bool is_permanent = false;        ///< every one of them would come again
  bool was_forced = false;          ///< the drain took longer than it may
  std::vector<EdgeLeft> left;       ///< of a forced end: nodes with anything left
  int64_t num_abandoned = 0;        ///< batches of receivers that had no outcome when it was forced
  std::vector<NodeReport> reports;  ///< by node, in the order of the checked pipeline
  std::vector<DestinationState> destinations;  ///< of exporters
};

/// Runs the nodes of a checked pipeline on one loop.
///
/// Ends by itself when every node has ended: receivers first, then everything downstream in order,
/// as each node's inbox has lost its last sender and is empty. RequestDrain makes receivers stop.
/// A node that fails ends alone: what waits in front of it is nacked, receivers stop, the rest
/// drains.
/// Calls: the thread of the loop.
class PipelineInstance {
 public:
  struct Options {
    int instance_index = 0;
    int num_instances = 1;
    std::optional<int> core;
    /// In place of what the policies of the pipeline say.
    std::optional<std::chrono::nanoseconds> drain_timeout;
    std::optional<MemoryAccount::Limits> memory;
    /// How often gauges are brought up to date and nodes asked for theirs; 0: only by Collect.
    std::chrono::nanoseconds collect_interval{0};
    /// Called on the loop when an exporter begins to deliver or to fail; may be null.
    DestinationWatch::OnChange on_destination;
  };

  /// Makes every node. `shared` has one entry a node (null where there is nothing to share).
  /// `pipeline`, `loop` and `registry` are borrowed and outlive the instance.
  /// Errors: the first that a factory gives, naming the node.
  static Result<std::unique_ptr<PipelineInstance>> Make(const CheckedPipeline& pipeline,
                                                        std::span<const NodeSharedPtr> shared,
                                                        runtime::EventLoop* loop,
                                                        telemetry::Registry* registry,
                                                        const Options& options);
  ~PipelineInstance();

  /// Starts the nodes, the last ones first. `on_end` is called once, on the loop, when the pipeline
  /// has ended; the instance may be destroyed only after that or after the loop has stopped.
  void Start(std::function<void()> on_end);

  /// Makes receivers stop; at the deadline the rest is ended by force. `timeout` counts in place of
  /// what the options say. When it is called again the earlier deadline counts.
  void RequestDrain(std::optional<std::chrono::nanoseconds> timeout = std::nullopt);

  /// Applies a changed configuration to a node; `node` counts as in the checked pipeline.
  /// Errors: what the node says; it goes on with what it had.
  Status ApplyConfig(size_t node, const NodeConfigPtr& config) {
    return runners_[node]->ApplyConfig(config);
  }

  /// Brings gauges up to date; the nodes are asked for theirs.
  void Collect();

  bool has_ended() const { return has_ended_; }
  bool is_draining() const { return context_.drain.is_requested(); }
  const MemoryAccount& memory() const { return context_.memory; }

  /// What waits now, by node; nodes without anything are left out.
  std::vector<EdgeLeft> WhatIsLeft() const;

  /// Asks every node for its report, destroys it, and returns how it went. Called once, after the
  /// end.
  InstanceResult TakeResult();

 private:
  struct NodeEnded {
    size_t index;
    Status status;
  };

  /// The metrics of the instance itself.
  struct Metrics {
    Metrics(telemetry::Registry* registry, const telemetry::Attributes& attributes);
    telemetry::Gauge* uptime;
    telemetry::Gauge* memory;
    telemetry::Gauge* soft_limit;
    telemetry::Gauge* hard_limit;
    telemetry::Gauge* pressure;
    telemetry::Counter* forced_drains;
  };

  PipelineInstance(const CheckedPipeline& pipeline, runtime::EventLoop* loop,
                   telemetry::Registry* registry, const Options& options);
  InstanceInfo InfoOf(const CheckedNode& node) const;
  std::chrono::nanoseconds drain_timeout() const;
  Status MakeNodes(std::span<const NodeSharedPtr> shared);
  void Connect();
  runtime::Task<> RunNode(size_t index);
  runtime::Task<> Manage();
  void OnNodeEnded(const NodeEnded& ended);
  void ForceEnd();
  void Finish();
  void TellMemoryPressure(MemoryPressure pressure);
  bool AllWait() const;
  void AddError(const std::string& node, const Status& status);
  void OnNodeError(const std::string& node, const std::string& what);

  const CheckedPipeline& pipeline_;
  runtime::EventLoop* loop_;
  Options options_;
  telemetry::Registry unseen_;  // has the metrics when none are wanted
  InstanceContext context_;
  Metrics metrics_;
  runtime::SteadyTime started_;
  int64_t shown_bytes_ = 0;  // what the gauge of memory has of this instance
  runtime::Timer deadline_;
  runtime::Timer collect_;
  runtime::Channel<NodeEnded> control_;
  std::vector<std::unique_ptr<NodeRunner>> runners_;
  std::vector<int> num_upstream_;  ///< senders that have not ended, by node
  std::vector<runtime::Task<>> tasks_;
  size_t num_running_ = 0;
  std::function<void()> on_end_;
  bool has_ended_ = false;
  InstanceResult result_;
};

}  // namespace df::engine
