// Ids that are unique in a partition.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace df::lake {

/// Returns a random UUID (version 4), lower case with hyphens.
std::string RandomUuid();

/// Ids of a partition.
inline constexpr uint64_t kMostIds = uint64_t{UINT32_MAX} + 1;

/// Gives every batch a range of ids of its own.
class PartitionIds {
 public:
  /// `first_id` is the first id of the first partition.
  explicit PartitionIds(uint32_t first_id) : next_(first_id) {}

  /// Returns the first of so many ids that nobody else has; nothing when no room is left in the
  /// partition. Every id fits 32 bits then.
  std::optional<uint32_t> Take(uint64_t count) {
    if (count > kMostIds - next_) {
      return std::nullopt;
    }
    const auto first = static_cast<uint32_t>(next_);
    next_ += count;
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
