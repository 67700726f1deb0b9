// The batches that the retry processor keeps until they have an outcome.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/completion.h"
#include "engine/pdata.h"
#include "runtime/clock.h"

namespace df::nodes::processors::retry {

/// A kept batch. It is either downstream (in flight) or waits to be sent again.
struct Slot {
  engine::Pdata pdata;  ///< with the token of the sender and the charge
  runtime::SteadyTime first_sent;
  int64_t num_attempts = 0;
  bool is_in_flight = false;
  engine::Outcome last;  ///< the latest nack
  /// Of the batch as it came: what attempts so far have settled, so that only a rest is left.
  int64_t num_delivered = 0;
  int64_t num_refused = 0;
  std::string refusal;
};

/// Slots that are used again, and the times at which waiting ones are due.
/// Calls: one thread. Cost: O(log n) for a due time; no allocation once it has grown.
class SlotTable {
 public:
  /// Keeps a batch and returns its index.
  uint32_t Add(engine::Pdata pdata, runtime::SteadyTime now);

  Slot& at(uint32_t index) { return entries_[index].slot; }

  /// Names this use of a slot in the calldata of a token.
  uint64_t CalldataOf(uint32_t index) const {
    return static_cast<uint64_t>(entries_[index].generation) << 32 | index;
  }
  /// Returns the slot that is in flight under this calldata; nothing when it has been given up.
  std::optional<uint32_t> Find(uint64_t calldata) const;

  /// Ends the use of a slot that is in flight, and returns what it held.
  Slot Remove(uint32_t index);

  /// Makes a slot wait.
  void Wait(uint32_t index, runtime::SteadyTime due);
  /// The earliest time at which one is due.
  std::optional<runtime::SteadyTime> next_due() const {
    return due_.empty() ? std::nullopt : std::optional(due_.front().time);
  }
  /// Takes the one that is due first and makes it in flight; there must be one.
  uint32_t TakeNextDue();
  /// Makes all that wait due at once, in their order.
  void MakeAllDue(runtime::SteadyTime now);

  /// Calls `visit(index)` for each slot that is in flight; it may remove that one.
  template <typename Visit>
  void VisitInFlight(Visit visit) {
    for (uint32_t index = 0; index < entries_.size(); ++index) {
      if (entries_[index].is_used && entries_[index].slot.is_in_flight) {
        visit(index);
      }
    }
  }

  int64_t num_used() const { return num_used_; }
  int64_t num_waiting() const { return static_cast<int64_t>(due_.size()); }

 private:
  struct Entry {
    Slot slot;
    uint32_t generation = 0;
    bool is_used = false;
  };
  struct Due {
    runtime::SteadyTime time;
    uint64_t order;  ///< of equal times the one that began to wait first
    uint32_t index;
  };
  static bool IsLater(const Due& left, const Due& right);

  std::vector<Entry> entries_;
  std::vector<uint32_t> free_;
  std::vector<Due> due_;  ///< a heap, the earliest in front
  uint64_t next_order_ = 0;
  int64_t num_used_ = 0;
};

}  // namespace df::nodes::processors::retry
