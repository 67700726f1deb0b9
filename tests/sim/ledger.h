// What became of every batch and item of a simulation, as its ends see it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "engine/completion.h"
#include "otap/batch.h"
#include "sim/event_trace.h"

namespace df::sim {

/// A batch of a receiver.
struct BatchFate {
  otap::BatchPtr batch;
  int64_t first_item = 0;
  int num_tokens = 0;    ///< made for it, over all attempts
  int num_outcomes = 0;  ///< heard
  bool is_acked = false;
};

/// An item of a batch.
struct ItemFate {
  int32_t batch = 0;
  int32_t num_deliveries = 0;
  int32_t num_acked = 0;  ///< deliveries that were acked
};

/// Owner: the simulation; outlives the nodes that write to it.
class Ledger {
 public:
  explicit Ledger(const runtime::Clock* clock) : trace(clock) {}

  /// Numbers the items of a batch; returns the number of the batch.
  int64_t AddBatch(const otap::Batch& batch);

  void OnToken(int64_t batch);
  void OnOutcome(int64_t batch, const engine::Outcome& outcome);

  /// An exporter was given a batch. Returns its items.
  std::vector<int64_t> OnDelivered(const otap::BatchPtr& batch);
  void OnAnswered(const std::vector<int64_t>& items, bool is_ack);

  /// Bytes of batches that have been sent and have no outcome yet.
  int64_t live_bytes() const { return live_bytes_; }

  template <typename... Args>
  void AddProblem(int invariant, fmt::format_string<Args...> format, Args&&... args) {
    problems.push_back(fmt::format("invariant {}: {}", invariant,
                                   fmt::format(format, std::forward<Args>(args)...)));
  }

  EventTrace trace;
  std::vector<BatchFate> batches;
  std::vector<ItemFate> items;
  std::vector<otap::BatchPtr> delivered;  ///< in order
  std::vector<std::string> problems;

 private:
  int64_t live_bytes_ = 0;
};

}  // namespace df::sim
