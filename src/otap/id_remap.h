// New numbers for ids, the same for an id column and for the columns that refer to it.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include <arrow/result.h>

#include "otap/rows.h"

namespace df::otap {

/// Numbers ids in order of first use: a table where they are dense, a hash map where they are not.
class IdNumbers {
 public:
  static constexpr uint32_t kAbsent = UINT32_MAX;

  IdNumbers() = default;
  /// Makes room for `count` ids up to `largest`.
  IdNumbers(int64_t count, uint32_t largest);

  /// Returns the number of an id; a new id gets the next.
  uint32_t Add(uint32_t id) {
    uint32_t& number = is_dense_ ? dense_[id] : sparse_.try_emplace(id, kAbsent).first->second;
    if (number == kAbsent) {
      number = size_++;
    }
    return number;
  }

  /// Returns the number of an id, or kAbsent.
  uint32_t Find(uint32_t id) const {
    if (is_dense_) {
      return id < dense_.size() ? dense_[id] : kAbsent;
    }
    const auto found = sparse_.find(id);
    return found == sparse_.end() ? kAbsent : found->second;
  }

  uint32_t size() const { return size_; }

 private:
  bool is_dense_ = true;
  uint32_t size_ = 0;
  std::vector<uint32_t> dense_;
  std::unordered_map<uint32_t, uint32_t> sparse_;
};

/// Numbers the ids of a column.
IdNumbers NumberIds(const arrow::Array& ids);

/// Gives every id of a batch its id in another: a shift, or a number and a shift.
class IdRemap {
 public:
  IdRemap() = default;
  static IdRemap Shift(uint32_t by) { return IdRemap(by, nullptr); }
  static IdRemap Renumber(const arrow::Array& ids, uint32_t first) {
    return IdRemap(first, std::make_shared<const IdNumbers>(NumberIds(ids)));
  }

  bool is_identity() const { return shift_ == 0 && numbers_ == nullptr; }

  /// Returns a column of new ids of the width 16 or 32; nulls stay null. Ids that the numbering
  /// does not know become null. Errors: those of Arrow.
  arrow::Result<std::shared_ptr<arrow::Array>> Apply(const std::shared_ptr<arrow::Array>& ids,
                                                     int bits) const;

 private:
  IdRemap(uint32_t shift, std::shared_ptr<const IdNumbers> numbers)
      : shift_(shift), numbers_(std::move(numbers)) {}

  uint32_t shift_ = 0;
  std::shared_ptr<const IdNumbers> numbers_;
};

/// Returns a table with another column of the same name and place; a new column is put where the
/// model has it.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> WithColumn(
    TableKind kind, const std::shared_ptr<arrow::RecordBatch>& table, std::string_view name,
    std::shared_ptr<arrow::Array> array);

/// Returns a root table in which the ids of "resource" or "scope" are `ids`. Shape: `is_always`
/// makes every row have the group, for ids without nulls; else rows without one stay so. A table
/// without the group gets it.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> WithGroupIds(
    TableKind kind, const std::shared_ptr<arrow::RecordBatch>& root, std::string_view group,
    std::shared_ptr<arrow::Array> ids, bool is_always);

}  // namespace df::otap
