// What waits in front of a node: batches, and calls for it from the engine.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/circular_buffer.hpp>

#include "engine/effects.h"
#include "engine/node_metrics.h"
#include "engine/pdata.h"
#include "runtime/channel.h"
#include "telemetry/metric_set.h"

namespace df::engine {

/// Bounds of an inbox.
struct InboxLimits {
  runtime::ChannelLimits pdata;
  int64_t max_control = 1;
};

/// What is still there of an edge and of the node behind it.
struct EdgeLeft {
  std::string node;            ///< the edge in front of it
  int64_t num_batches = 0;     ///< waiting
  int64_t num_items = 0;       ///< in those
  int64_t size_bytes = 0;      ///< of those
  int64_t num_senders = 0;     ///< batches for which a sender waits for room
  int64_t num_in_node = 0;     ///< batches that the node's unfinished call was given: 0 or 1
  int64_t num_unanswered = 0;  ///< batches that the node has sent and that have no outcome yet
};

/// The next thing for a node to do.
struct InboxEvent {
  enum class Kind : uint8_t { kBatch, kTimer, kEnd };
  Kind kind = Kind::kEnd;
  Pdata pdata;        ///< kBatch
  TimerId timer = 0;  ///< kTimer
};

/// Merges data and control for one node. Control comes first, but after kMaxControlInARow of it a
/// waiting batch gets its turn. The end comes when no sender is left and every batch is taken.
class Inbox {
 public:
  static constexpr int kMaxControlInARow = 32;

  /// `metrics` is borrowed.
  Inbox(runtime::EventLoop* loop, InboxLimits limits, NodeMetrics* metrics);
  ~Inbox();

  /// Waits for room and hands over. On kClosed the batch is still the caller's.
  auto Push(Pdata& pdata, int64_t size_bytes) {
    Stamp(pdata);
    return pdata_.Push(pdata, size_bytes);
  }

  /// Tells the node that a periodic timer has fired; left out when this timer's last tick still
  /// waits or the control queue is full.
  void PushTick(TimerId id);

  /// Tells the node that the time it asked for has come. Never left out: it stands in the queue
  /// once at most, so the timers that a node has set are its bound.
  void PushWake(TimerId id);

  /// Takes back what still waits of a timer.
  void DropTimer(TimerId id);

  /// Waits for the next event. `now` is the present moment before and after, where times are
  /// measured: a wait moves it on.
  runtime::Task<InboxEvent> Next(runtime::SteadyTime* now);

  /// No sender is left.
  void Close() { pdata_.Close(); }

  /// Brings the gauges of what waits up to date.
  void UpdateMetrics() {
    const int64_t num_batches = pdata_.num_messages();
    const int64_t size_bytes = pdata_.size_bytes();
    metrics_->edge_batches->Add(num_batches - shown_batches_);
    metrics_->edge_bytes->Add(size_bytes - shown_bytes_);
    shown_batches_ = num_batches;
    shown_bytes_ = size_bytes;
  }

  /// Hands over what has room now. On kFull and kClosed the batch is still the caller's.
  runtime::PushResult TryPush(Pdata& pdata, int64_t size_bytes) {
    Stamp(pdata);
    const runtime::PushResult result = pdata_.TryPush(pdata, size_bytes);
    UpdateMetrics();
    return result;
  }
  bool HasRoom(int64_t size_bytes) const { return pdata_.HasRoom(size_bytes); }
  bool is_closed() const { return pdata_.is_closed(); }

  /// The node has ended: nacks what waits, refuses what comes.
  void Refuse(const std::string& reason, NackCause cause);

  /// What waits now, and how many senders wait to add to it; the rest of the fields stays 0.
  EdgeLeft WhatIsLeft() const;

  int64_t size_bytes() const { return pdata_.size_bytes(); }
  int64_t num_batches() const { return pdata_.num_messages(); }

 private:
  bool IsWaiting(TimerId id) const;
  void Append(TimerId id);
  void Stamp(Pdata& pdata) const {
    if (metrics_->edge_wait != nullptr) {
      pdata.queued_at = clock_.Now();
    }
  }

  runtime::Wakeup wakeup_;
  runtime::Channel<Pdata> pdata_;
  boost::circular_buffer<TimerId> control_{16};
  int num_control_in_a_row_ = 0;
  const runtime::Clock& clock_;
  NodeMetrics* metrics_;
  InboxLimits limits_;
  // What the gauges have of this inbox; another generation of the node may have its part too.
  int64_t shown_batches_ = 0;
  int64_t shown_bytes_ = 0;
};

}  // namespace df::engine
