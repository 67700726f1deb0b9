// The three kinds of node. A node instance belongs to one loop; its calls never overlap.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "engine/effects.h"
#include "engine/memory_account.h"
#include "engine/node_config.h"
#include "engine/pdata.h"
#include "runtime/task.h"

namespace df::engine {

enum class NodeKind : uint8_t { kReceiver, kProcessor, kExporter };

/// Returns "receiver", "processor" or "exporter".
std::string_view Name(NodeKind kind);

struct SourceAccount;

/// What a node has to say at the end.
struct NodeReport {
  std::vector<std::string> lines;  ///< for people, printed as they are
  int64_t num_problems = 0;        ///< things unread, undelivered, refused, missing or changed
  /// Of receivers that know what there is to send; of a node's merged report only (account.h).
  std::shared_ptr<const SourceAccount> source = nullptr;
};

/// Control calls that every node may answer; one that does not care leaves them out.
class Controllable {
 public:
  virtual ~Controllable() = default;

  /// Applies a changed configuration while it runs; only for descriptors that say applies_config.
  /// Like the two calls below it is made on the loop at once, also while the node waits inside
  /// another call, so that control never stands behind data; it does not wait.
  /// Errors: why it cannot be applied; the node goes on with what it had.
  virtual Status OnConfig(const NodeConfigPtr& config);

  /// The memory of the pipeline has become fuller or emptier.
  virtual void OnMemoryPressure(MemoryPressure pressure);

  /// Somebody is about to read the metrics: the moment to set gauges that cost something.
  virtual void OnCollect();
};

/// A source of batches.
class Receiver : public Controllable {
 public:
  /// Sends batches until there are no more, or until a drain is requested: then it takes no more
  /// and returns soon. It may wait for outcomes as long as senders would send again what has none:
  /// nodes that hold batches back send or store them when a drain begins (Effects::drain). Outcomes
  /// may still arrive until Report is called. An error ends the pipeline of this core.
  virtual runtime::Task<Status> Run(Effects& effects) = 0;

  /// Called last, when everything downstream has ended.
  virtual NodeReport Report() = 0;
};

/// Takes batches and sends others. What it holds back it sends on when a drain begins, and at once
/// from then on: receivers may wait for the outcomes before they end.
class Processor : public Controllable {
 public:
  /// Called once, before the first batch: for ports and timers.
  virtual Status Start(Effects& effects) = 0;

  /// Handles one batch: sends it on with its token, keeps it for later, or completes its token.
  virtual runtime::Task<Status> Process(Pdata pdata, Effects& effects) = 0;

  /// Called for a timer that was started.
  virtual runtime::Task<Status> OnTimer(TimerId id, Effects& effects) = 0;

  /// Called when no more batches come: sends on what was kept.
  virtual runtime::Task<Status> Finish(Effects& effects) = 0;

  /// Called last, when everything downstream has ended.
  virtual NodeReport Report() = 0;
};

/// A processor that gives one batch for each that it takes.
class OneToOneProcessor : public Processor {
 public:
  /// Returns the batch to send on with the token of the one taken; null drops it as done (ack). An
  /// error refuses this batch only: it is nacked for good, with the message as the reason.
  virtual Result<otap::BatchPtr> Transform(const otap::BatchPtr& batch) = 0;

  Status Start(Effects& effects) override;
  runtime::Task<Status> Process(Pdata pdata, Effects& effects) override;
  runtime::Task<Status> OnTimer(TimerId id, Effects& effects) override;
  runtime::Task<Status> Finish(Effects& effects) override;
  /// Says what Transform has refused, and nothing else.
  NodeReport Report() override;

 private:
  int64_t num_refused_ = 0;
  std::string first_refusal_;
};

/// Takes batches out of the pipeline. Outcomes that it holds back until there is more to store, it
/// brings about when a drain begins, and as soon as it can from then on.
class Exporter : public Controllable {
 public:
  /// Called once, before the first batch: for timers; the place to open what it writes to.
  virtual Status Start(Effects& effects) = 0;

  /// Delivers one batch and completes its token, now or later. An error is the node's end; a batch
  /// that cannot be delivered is nacked instead.
  virtual runtime::Task<Status> Export(Pdata pdata, Effects& effects) = 0;

  /// Called for a timer that was started.
  virtual runtime::Task<Status> OnTimer(TimerId id, Effects& effects) = 0;

  /// Called when no more batches come: makes everything durable and completes all tokens.
  virtual runtime::Task<Status> Finish(Effects& effects) = 0;

  /// Called last.
  virtual NodeReport Report() = 0;
};

}  // namespace df::engine
