// Columns that a decoder fills row by row. They keep their memory from batch to batch; finishing
// copies the values into Arrow buffers of their exact size.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "otlp/decode/table_frame.h"

namespace df::otlp {

/// Numbers. Shape: rows are set in ascending order, the last one as often as wanted; rows that are
/// never set are zero, and cost nothing until a later one is set.
template <typename T>
class NumberBuilder {
 public:
  [[gnu::always_inline]] void Set(int64_t row, T value) {
    const auto position = static_cast<size_t>(row);
    if (position == size_ && position < values_.size()) {
      values_[position] = value;
      ++size_;
    } else {
      SetElsewhere(position, value);
    }
  }

  /// Sets all rows up to `end`.
  void SetRun(int64_t row, int64_t end, T value) {
    Extend(static_cast<size_t>(row));
    Extend(static_cast<size_t>(end));
    std::fill(values_.begin() + row, values_.begin() + end, value);
  }

  bool empty() const { return size_ == 0; }
  /// The rows up to the last one that was set.
  std::span<const T> values() const { return {values_.data(), size_}; }
  void Clear() { size_ = 0; }
  T At(int64_t row) const {
    const auto position = static_cast<size_t>(row);
    return position < size_ ? values_[position] : T{};
  }

  /// Returns all rows. Errors: OutOfMemory.
  arrow::Result<ArrayDataPtr> Finish(std::shared_ptr<arrow::DataType> type, int64_t num_rows,
                                     Validity validity = {}) {
    Extend(static_cast<size_t>(num_rows));
    ARROW_ASSIGN_OR_RAISE(auto buffer, CopyToBuffer(values_.data(), static_cast<size_t>(num_rows)));
    return arrow::ArrayData::Make(std::move(type), num_rows,
                                  {std::move(validity.bitmap), std::move(buffer)},
                                  validity.null_count);
  }
  /// The same, but no column when no row was set.
  arrow::Result<ArrayDataPtr> FinishIfSet(std::shared_ptr<arrow::DataType> type, int64_t num_rows,
                                          Validity validity = {}) {
    return empty() ? nullptr : Finish(std::move(type), num_rows, std::move(validity));
  }
  /// Null where zero; no column when no row was set.
  arrow::Result<ArrayDataPtr> FinishNonZero(std::shared_ptr<arrow::DataType> type,
                                            int64_t num_rows) {
    if (empty()) {
      return nullptr;
    }
    Extend(static_cast<size_t>(num_rows));
    ARROW_ASSIGN_OR_RAISE(Validity validity, MakeValidity(num_rows, [&](int64_t row) {
                            return values_[static_cast<size_t>(row)] != T{};
                          }));
    return Finish(std::move(type), num_rows, std::move(validity));
  }

 private:
  static constexpr size_t kLeastRows = 64;

  [[gnu::noinline]] void SetElsewhere(size_t position, T value) {
    if (position >= size_) {
      Extend(position + 1);
    }
    values_[position] = value;
  }
  /// Makes it so many rows; the new ones are zero.
  void Extend(size_t num_rows) {
    if (num_rows > values_.size()) {
      values_.resize(std::max({num_rows, 2 * values_.size(), kLeastRows}));
    }
    if (num_rows > size_) {
      std::fill(values_.begin() + static_cast<ptrdiff_t>(size_),
                values_.begin() + static_cast<ptrdiff_t>(num_rows), T{});
      size_ = num_rows;
    }
  }

  std::vector<T> values_;  ///< rows, and room for more
  size_t size_ = 0;
};

/// Numbers of which a zero is not the same as none: null where never set.
template <typename T>
class OptionalBuilder {
 public:
  void Set(int64_t row, T value) {
    values_.Set(row, value);
    present_.Set(row, 1);
  }
  void Clear() {
    values_.Clear();
    present_.Clear();
  }
  /// No column when no row was set. Errors: OutOfMemory.
  arrow::Result<ArrayDataPtr> Finish(std::shared_ptr<arrow::DataType> type, int64_t num_rows) {
    if (values_.empty()) {
      return nullptr;
    }
    ARROW_ASSIGN_OR_RAISE(Validity validity, MakeValidity(num_rows, [&](int64_t row) {
                            return present_.At(row) != 0;
                          }));
    return values_.Finish(std::move(type), num_rows, std::move(validity));
  }

 private:
  NumberBuilder<T> values_;
  NumberBuilder<uint8_t> present_;
};

/// Booleans; rows that are never set are false.
class BoolBuilder {
 public:
  void Set(int64_t row, bool value) { values_.Set(row, value ? 1 : 0); }
  bool empty() const { return values_.empty(); }
  void Clear() { values_.Clear(); }
  /// No column when no row was set. Errors: OutOfMemory.
  arrow::Result<ArrayDataPtr> FinishIfSet(int64_t num_rows, Validity validity = {}) {
    if (empty()) {
      return nullptr;
    }
    ARROW_ASSIGN_OR_RAISE(auto buffer,
                          arrow::AllocateBuffer(arrow::bit_util::BytesForBits(num_rows)));
    std::memset(buffer->mutable_data(), 0, static_cast<size_t>(buffer->size()));
    for (int64_t row = 0; row < num_rows; ++row) {
      arrow::bit_util::SetBitTo(buffer->mutable_data(), row, values_.At(row) != 0);
    }
    return arrow::ArrayData::Make(arrow::boolean(), num_rows,
                                  {std::move(validity.bitmap), std::move(buffer)},
                                  validity.null_count);
  }

 private:
  NumberBuilder<uint8_t> values_;
};

/// Returns the numbers from 0: ids that count rows. Errors: OutOfMemory.
template <typename T>
arrow::Result<ArrayDataPtr> CountRows(std::shared_ptr<arrow::DataType> type, int64_t num_rows) {
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> buffer,
                        arrow::AllocateBuffer(num_rows * static_cast<int64_t>(sizeof(T))));
  auto* ids = reinterpret_cast<T*>(buffer->mutable_data());
  std::iota(ids, ids + num_rows, T{});
  return arrow::ArrayData::Make(std::move(type), num_rows, {nullptr, std::move(buffer)}, 0);
}

/// Trace or span ids: null, or zeros where the column is required, where never set.
template <size_t kBytes>
class IdBuilder {
 public:
  using Id = std::array<char, kBytes>;

  /// Returns false, and sets nothing, when the bytes are neither an id nor empty.
  [[gnu::always_inline]] bool Set(int64_t row, std::string_view bytes) {
    if (bytes.size() != kBytes) {
      return bytes.empty();
    }
    Id id;
    std::memcpy(id.data(), bytes.data(), kBytes);
    values_.Set(row, id);
    present_.Set(row, 1);
    return true;
  }
  void Clear() {
    values_.Clear();
    present_.Clear();
  }
  /// No column when no row was set. Errors: OutOfMemory.
  arrow::Result<ArrayDataPtr> FinishOptional(int64_t num_rows) {
    if (values_.empty()) {
      return nullptr;
    }
    ARROW_ASSIGN_OR_RAISE(Validity validity, MakeValidity(num_rows, [&](int64_t row) {
                            return present_.At(row) != 0;
                          }));
    return values_.Finish(Type(), num_rows, std::move(validity));
  }
  arrow::Result<ArrayDataPtr> FinishRequired(int64_t num_rows) {
    return values_.Finish(Type(), num_rows);
  }

 private:
  static std::shared_ptr<arrow::DataType> Type() {
    return arrow::fixed_size_binary(static_cast<int32_t>(kBytes));
  }

  NumberBuilder<Id> values_;
  NumberBuilder<uint8_t> present_;
};

/// Lists without nulls: where the list of each row begins. The owner holds the items.
class ListEnds {
 public:
  /// The list of a row ends behind so many items of all rows; rows in between are empty.
  void SetEnd(int64_t row, size_t num_items) {
    ends_.resize(static_cast<size_t>(row), last_);
    last_ = static_cast<int32_t>(num_items);
    ends_.push_back(last_);
  }
  void Clear() {
    ends_.clear();
    last_ = 0;
  }
  /// Errors: OutOfMemory.
  arrow::Result<ArrayDataPtr> Finish(int64_t num_rows, ArrayDataPtr items) {
    ends_.resize(static_cast<size_t>(num_rows), last_);
    ends_.insert(ends_.begin(), 0);
    ARROW_ASSIGN_OR_RAISE(auto buffer, CopyToBuffer(ends_.data(), ends_.size()));
    auto type = arrow::list(arrow::field("item", items->type));
    ArrayDataPtr data =
        arrow::ArrayData::Make(std::move(type), num_rows, {nullptr, std::move(buffer)}, 0);
    data->child_data.push_back(std::move(items));
    return data;
  }

 private:
  std::vector<int32_t> ends_;
  int32_t last_ = 0;
};

/// Lists of numbers.
template <typename T>
class ListBuilder {
 public:
  /// Appends items as they stand in a packed field: a multiple of sizeof(T).
  void AppendPacked(std::string_view bytes) {
    const size_t count = items_.size();
    items_.resize(count + bytes.size() / sizeof(T));
    if (!bytes.empty()) {
      std::memcpy(items_.data() + count, bytes.data(), bytes.size());
    }
  }
  /// What was appended since the last row belongs to this one.
  void CloseRow(int64_t row) {
    if (items_.size() != closed_) {
      closed_ = items_.size();
      ends_.SetEnd(row, closed_);
    }
  }
  void Clear() {
    items_.clear();
    ends_.Clear();
    closed_ = 0;
  }
  /// No column when all lists are empty, unless wanted. Errors: OutOfMemory.
  arrow::Result<ArrayDataPtr> Finish(const std::shared_ptr<arrow::DataType>& type, int64_t num_rows,
                                     bool even_empty = false) {
    if (items_.empty() && !even_empty) {
      return nullptr;
    }
    ARROW_ASSIGN_OR_RAISE(auto buffer, CopyToBuffer(items_.data(), items_.size()));
    return ends_.Finish(num_rows, arrow::ArrayData::Make(type, static_cast<int64_t>(items_.size()),
                                                         {nullptr, std::move(buffer)}, 0));
  }

 private:
  std::vector<T> items_;
  ListEnds ends_;
  size_t closed_ = 0;
};

}  // namespace df::otlp
