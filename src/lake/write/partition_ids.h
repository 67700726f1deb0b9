// Ids that are unique in a partition.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace df::lake {

/// Returns a random UUID (version 4), lower case with hyphens.
std::string RandomUuid();

/// Gives every batch a range of ids of its own.
class PartitionIds {
 public:
  /// `first_id` is the first id of the first partition.
  explicit PartitionIds(uint32_t first_id) : next_(first_id) {}

  /// Returns what to add to the ids of a batch whose largest is `largest_id`; nothing when no room
  /// is left in the partition. Every id fits 32 bits then.
  std::optional<uint32_t> Take(uint32_t largest_id) {
    if (next_ + largest_id > UINT32_MAX) {
      return std::nullopt;
    }
    const auto first = static_cast<uint32_t>(next_);
    next_ += uint64_t{largest_id} + 1;
    return first;
  }

  /// Goes on with a partition of its own.
  void StartPartition() {
    partition_ = RandomUuid();
    next_ = 0;
  }

  const std::string& partition() const { return partition_; }

 private:
  std::string partition_ = RandomUuid();
  uint64_t next_;
};

}  // namespace df::lake
