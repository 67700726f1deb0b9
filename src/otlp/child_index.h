// Finds the rows of a child table that belong to a parent.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "otlp/column.h"

namespace df::otlp {

/// Rows by parent. Shape: the rows of a parent keep their order, wherever they stand.
/// Cost: one pass to build, O(1) to look up; a binary search where the ids are sparse.
class ChildIndex {
 public:
  /// Rows whose parent is this belong to nobody.
  static constexpr uint32_t kNoParent = UINT32_MAX;

  /// Indexes `parents`, one for each row.
  static ChildIndex FromParents(std::vector<uint32_t> parents);

  /// Indexes column `parent_id` of a table; rows where it is null belong to nobody.
  template <typename T>
  static ChildIndex FromColumn(const NumberColumn<T>& parent_id, int64_t num_rows) {
    std::vector<uint32_t> parents(static_cast<size_t>(num_rows));
    for (int64_t row = 0; row < num_rows; ++row) {
      parents[static_cast<size_t>(row)] =
          parent_id.Has(row) ? static_cast<uint32_t>(parent_id.Value(row)) : kNoParent;
    }
    return FromParents(std::move(parents));
  }

  /// The rows of one parent.
  class Rows {
   public:
    Rows(const uint32_t* order, uint32_t begin, uint32_t end)
        : order_(order), begin_(begin), end_(end) {}
    bool empty() const { return begin_ == end_; }
    uint32_t size() const { return end_ - begin_; }
    int64_t operator[](uint32_t i) const {
      return order_ == nullptr ? begin_ + i : order_[begin_ + i];
    }

   private:
    const uint32_t* order_;  ///< null: rows are in order as they are
    uint32_t begin_;
    uint32_t end_;
  };

  Rows Of(uint32_t parent) const {
    if (is_sparse_) {
      return FindSparse(parent);
    }
    if (parent >= num_parents_) {
      return {nullptr, 0, 0};
    }
    return {order(), starts_[parent], starts_[parent + 1]};
  }

 private:
  const uint32_t* order() const { return order_.empty() ? nullptr : order_.data(); }
  void BuildDense(const std::vector<uint32_t>& parents, uint32_t num_parents, bool is_ascending);
  void BuildSparse(std::vector<uint32_t> parents, bool is_ascending);
  Rows FindSparse(uint32_t parent) const;

  bool is_sparse_ = false;
  uint32_t num_parents_ = 0;
  std::vector<uint32_t> starts_;   ///< dense: first position of each parent, and the end
  std::vector<uint32_t> order_;    ///< rows by parent; empty when that is their order already
  std::vector<uint32_t> parents_;  ///< sparse: parents, ascending
};

}  // namespace df::otlp
