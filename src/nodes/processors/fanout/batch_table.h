// The batches that the fan-out processor waits for, and how far each destination is with them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/completion.h"
#include "engine/pdata.h"
#include "runtime/clock.h"

namespace df::nodes::processors::fanout {

/// How far one destination is with one batch.
enum class Progress : uint8_t {
  kIdle,    ///< not its turn
  kQueued,  ///< to be sent
  kSent,    ///< without outcome yet
  kEnded,   ///< acked, refused, or out of time
};

struct Delivery {
  Progress progress = Progress::kIdle;
  std::optional<runtime::SteadyTime> deadline;
};

/// One batch. Its deliveries stand in the table.
struct Entry {
  engine::Pdata pdata;  ///< with the token of the sender and the charge
  size_t num_open = 0;  ///< routes (destinations with their fallbacks) that have not ended
  size_t next_route = 0;
  engine::Outcome joined;  ///< of the routes that have ended
  uint32_t generation = 0;
  bool is_used = false;
};

/// One delivery of one batch, also after the batch has gone.
struct DeliveryId {
  uint32_t generation = 0;
  uint32_t entry = 0;
  uint32_t destination = 0;

  /// Shape: generation 32 bits, entry 26, destination 6.
  uint64_t ToCalldata() const {
    return static_cast<uint64_t>(generation) << 32 | entry << 6 | destination;
  }
  static DeliveryId FromCalldata(uint64_t calldata) {
    const auto low = static_cast<uint32_t>(calldata);
    return {static_cast<uint32_t>(calldata >> 32), low >> 6, low & 63};
  }
};

/// Entries that are used again. Calls: one thread. Cost: no allocation once it has grown.
class BatchTable {
 public:
  explicit BatchTable(size_t num_destinations) : num_destinations_(num_destinations) {}

  uint32_t Add(engine::Pdata pdata) {
    if (free_.empty()) {
      free_.push_back(static_cast<uint32_t>(entries_.size()));
      entries_.emplace_back();
      deliveries_.resize(deliveries_.size() + num_destinations_);
    }
    const uint32_t index = free_.back();
    free_.pop_back();
    entries_[index].is_used = true;
    entries_[index].pdata = std::move(pdata);
    ++num_used_;
    return index;
  }

  /// What it held is destroyed by the caller, when the table is in order again.
  engine::Pdata Remove(uint32_t index) {
    Entry& entry = entries_[index];
    engine::Pdata pdata = std::move(entry.pdata);
    const uint32_t generation = entry.generation + 1;
    entry = Entry();
    entry.generation = generation;
    for (size_t i = 0; i < num_destinations_; ++i) {
      delivery(index, i) = Delivery();
    }
    free_.push_back(index);
    --num_used_;
    return pdata;
  }

  Entry& entry(uint32_t index) { return entries_[index]; }
  Delivery& delivery(uint32_t index, size_t destination) {
    return deliveries_[index * num_destinations_ + destination];
  }
  DeliveryId IdOf(uint32_t index, size_t destination) const {
    return {entries_[index].generation, index, static_cast<uint32_t>(destination)};
  }
  /// Returns the delivery while its batch is kept, else null.
  Delivery* Find(const DeliveryId& id) {
    const bool is_kept = id.entry < entries_.size() && id.destination < num_destinations_ &&
                         entries_[id.entry].is_used &&
                         entries_[id.entry].generation == id.generation;
    return is_kept ? &delivery(id.entry, id.destination) : nullptr;
  }

  uint32_t size() const { return static_cast<uint32_t>(entries_.size()); }
  int64_t num_used() const { return num_used_; }

 private:
  size_t num_destinations_;
  std::vector<Entry> entries_;
  std::vector<Delivery> deliveries_;  ///< num_destinations_ of each entry
  std::vector<uint32_t> free_;
  int64_t num_used_ = 0;
};

}  // namespace df::nodes::processors::fanout
