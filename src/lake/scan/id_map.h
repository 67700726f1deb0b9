// Old ids of the rows of a payload to new ones: dense from 0, in row order.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include <arrow/array.h>
#include <arrow/result.h>

namespace df::lake {

/// Maps the ids of a run of rows to their rank. Null ids stay null; a repeated id keeps its first
/// row. Cost: O(1) per row and look-up: consecutive ids are one subtraction, a range up to
/// kTableFactor times the rows is a table, only sparse ids are hashed.
class IdMap {
 public:
  /// Builds the map over `count` ids; `is_valid(i)` tells null from value.
  template <typename IsValid>
  static IdMap Make(const uint32_t* ids, int64_t count, IsValid&& is_valid);

  /// Returns the new id, or -1 when the old one is unknown.
  int64_t Find(uint32_t id) const {
    if (count_ == 0 || id < min_ || id > max_) {
      return -1;
    }
    if (is_dense_) {
      return id - min_;
    }
    if (!table_.empty()) {
      return table_[id - min_];
    }
    const auto found = hash_.find(id);
    return found == hash_.end() ? -1 : found->second;
  }

  bool empty() const { return count_ == 0; }
  /// The new id is the old one minus min(), and every id between min() and max() is known.
  bool is_dense() const { return is_dense_; }
  uint32_t min() const { return min_; }
  uint32_t max() const { return max_; }
  int64_t num_ids() const { return count_; }
  int64_t num_duplicates() const { return num_duplicates_; }

  /// New ids by row; -1 for null and for repeated ids.
  const std::vector<int32_t>& by_row() const { return by_row_; }

 private:
  static constexpr int64_t kTableFactor = 16;
  static constexpr int64_t kSmallTable = 1 << 16;

  bool is_dense_ = true;
  uint32_t min_ = 0;
  uint32_t max_ = 0;
  int64_t count_ = 0;
  int64_t num_duplicates_ = 0;
  std::vector<int32_t> table_;
  std::unordered_map<uint32_t, int32_t> hash_;
  std::vector<int32_t> by_row_;
};

template <typename IsValid>
IdMap IdMap::Make(const uint32_t* ids, int64_t count, IsValid&& is_valid) {
  IdMap map;
  map.by_row_.assign(static_cast<size_t>(count), -1);
  uint64_t expected = 0;  // wider than an id: nothing is the successor of the last one
  for (int64_t row = 0; row < count; ++row) {
    if (!is_valid(row)) {
      continue;
    }
    const uint32_t id = ids[row];
    if (map.count_ == 0) {
      map.min_ = map.max_ = id;
    } else {
      map.is_dense_ = map.is_dense_ && id == expected;
      map.min_ = std::min(map.min_, id);
      map.max_ = std::max(map.max_, id);
    }
    expected = uint64_t{id} + 1;
    map.by_row_[static_cast<size_t>(row)] = static_cast<int32_t>(map.count_++);
  }
  if (map.is_dense_) {
    return map;
  }
  const int64_t range = int64_t{map.max_} - map.min_ + 1;
  const bool use_table = range <= std::max(kSmallTable, map.count_ * kTableFactor);
  if (use_table) {
    map.table_.assign(static_cast<size_t>(range), -1);
  }
  map.count_ = 0;
  for (int64_t row = 0; row < count; ++row) {
    int32_t& new_id = map.by_row_[static_cast<size_t>(row)];
    if (new_id < 0) {
      continue;
    }
    const auto next = static_cast<int32_t>(map.count_);
    bool is_new = true;
    if (use_table) {
      int32_t& slot = map.table_[ids[row] - map.min_];
      is_new = slot < 0;
      slot = is_new ? next : slot;
    } else {
      is_new = map.hash_.emplace(ids[row], next).second;
    }
    new_id = is_new ? next : -1;
    map.count_ += is_new ? 1 : 0;
    map.num_duplicates_ += is_new ? 0 : 1;
  }
  return map;
}

}  // namespace df::lake
