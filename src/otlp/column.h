// Typed columns of a table, bound once per batch: dictionaries resolved, no virtual calls per row.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>
#include <arrow/util/bit_util.h>

#include "otap/schema.h"

namespace df::otlp {

/// What all columns share: which rows are null, and where the value of a row stands.
/// Owner: shares the array that it was bound to.
class Column {
 public:
  /// Keeps the buffers that Bind took pointers into.
  void Keep(std::shared_ptr<const arrow::ArrayData> array) { array_ = std::move(array); }

  /// Tells whether the table has the column.
  bool is_present() const { return is_present_; }

  /// Tells whether a row has a value; false everywhere when the column is absent.
  [[gnu::always_inline]] bool Has(int64_t row) const {
    return is_full_ || (is_present_ && HasSlow(row));
  }

 protected:
  /// Binds everything but the values. `array` is native or a dictionary.
  void BindRows(const arrow::ArrayData& array);

  /// Returns the value's position among the values: the row, or what its dictionary index says.
  [[gnu::always_inline]] int64_t Position(int64_t row) const {
    switch (index_bytes_) {
      case 0:
        return row;
      case 1:
        return static_cast<const uint8_t*>(indices_)[row];
      case 2:
        return static_cast<const uint16_t*>(indices_)[row];
      case 4:
        return static_cast<const uint32_t*>(indices_)[row];
      default:
        return static_cast<const int64_t*>(indices_)[row];
    }
  }

 private:
  bool HasSlow(int64_t row) const {
    return IsSet(validity_, row + validity_offset_) &&
           IsSet(value_validity_, Position(row) + value_offset_);
  }
  static bool IsSet(const uint8_t* bitmap, int64_t position) {
    return bitmap == nullptr || arrow::bit_util::GetBit(bitmap, position);
  }

  std::shared_ptr<const arrow::ArrayData> array_;
  bool is_present_ = false;
  bool is_full_ = false;  ///< present and without nulls
  int index_bytes_ = 0;
  const void* indices_ = nullptr;
  const uint8_t* validity_ = nullptr;
  int64_t validity_offset_ = 0;
  const uint8_t* value_validity_ = nullptr;  ///< of a dictionary that holds nulls
  int64_t value_offset_ = 0;
};

/// Numbers; times and durations are int64.
template <typename T>
class NumberColumn : public Column {
 public:
  void Bind(const arrow::ArrayData& array) {
    BindRows(array);
    values_ = (array.dictionary != nullptr ? *array.dictionary : array).template GetValues<T>(1);
  }

  /// Needs Has(row).
  T Value(int64_t row) const { return values_[Position(row)]; }
  T ValueOr(int64_t row, T otherwise) const { return Has(row) ? Value(row) : otherwise; }

 private:
  const T* values_ = nullptr;
};

class BoolColumn : public Column {
 public:
  void Bind(const arrow::ArrayData& array);

  /// Needs Has(row).
  bool Value(int64_t row) const {
    return arrow::bit_util::GetBit(values_, Position(row) + offset_);
  }

 private:
  const uint8_t* values_ = nullptr;
  int64_t offset_ = 0;
};

/// Text and binary of any length.
class BytesColumn : public Column {
 public:
  void Bind(const arrow::ArrayData& array);

  /// Needs Has(row).
  std::string_view Value(int64_t row) const {
    const int64_t position = Position(row);
    return {data_ + offsets_[position],
            static_cast<size_t>(offsets_[position + 1] - offsets_[position])};
  }
  std::string_view ValueOrEmpty(int64_t row) const {
    return Has(row) ? Value(row) : std::string_view();
  }

 private:
  const int32_t* offsets_ = nullptr;
  const char* data_ = nullptr;
};

/// Binary of one length: trace and span ids.
class FixedBytesColumn : public Column {
 public:
  void Bind(const arrow::ArrayData& array);

  /// Needs Has(row).
  std::string_view Value(int64_t row) const {
    return {data_ + Position(row) * width_, static_cast<size_t>(width_)};
  }

 private:
  const char* data_ = nullptr;
  int64_t width_ = 0;
};

/// Which rows of a struct column are valid.
class StructRows : public Column {
 public:
  void Bind(const arrow::ArrayData& array) { BindRows(array); }
};

/// The offsets of a list column.
class ListRows : public Column {
 public:
  void Bind(const arrow::ArrayData& array);

  struct Range {
    int64_t begin = 0;
    int64_t end = 0;
    bool empty() const { return begin == end; }
  };
  /// Returns the items of a row; nothing for a null.
  Range Items(int64_t row) const {
    return Has(row) ? Range{offsets_[row], offsets_[row + 1]} : Range{};
  }

 private:
  const int32_t* offsets_ = nullptr;
};

/// Lists of numbers. A null item reads as zero.
template <typename T>
class ListColumn : public ListRows {
 public:
  void Bind(const arrow::ArrayData& array) {
    ListRows::Bind(array);
    const arrow::ArrayData& items = *array.child_data[0];
    values_ = items.template GetValues<T>(1);
    if (items.GetNullCount() != 0) {
      NumberColumn<T> column;
      column.Bind(items);
      copy_.resize(static_cast<size_t>(items.length));
      for (int64_t i = 0; i < items.length; ++i) {
        copy_[static_cast<size_t>(i)] = column.ValueOr(i, T{});
      }
      values_ = copy_.data();
    }
  }

  std::span<const T> Value(int64_t row) const {
    const Range items = Items(row);
    return {values_ + items.begin, static_cast<size_t>(items.end - items.begin)};
  }

 private:
  const T* values_ = nullptr;
  std::vector<T> copy_;
};

/// The columns of a table, or of one of its structs, by name.
/// Owner: borrows the table and the status.
class ColumnSource {
 public:
  /// Null `table`: every column is absent. The first column of a wrong type sets `status`.
  ColumnSource(otap::TableKind kind, const arrow::RecordBatch* table, arrow::Status* status);

  /// Returns the children of a struct column, and which of its rows are valid. A child is null
  /// where the struct is.
  ColumnSource Struct(std::string_view name, StructRows* rows = nullptr) const;

  /// Binds a column of the model; leaves it absent when the table has none, or one of a type that
  /// the model does not know.
  template <typename C>
  void Bind(std::string_view name, C* column) const {
    if (std::shared_ptr<arrow::ArrayData> array = Find(name)) {
      column->Bind(*array);
      column->Keep(std::move(array));
    }
  }

  /// Returns the items of a list of structs.
  ColumnSource Items(std::string_view name) const;

 private:
  ColumnSource(std::string path, std::span<const otap::Column> model, arrow::Status* status)
      : path_(std::move(path)), model_(model), status_(status) {}

  std::shared_ptr<arrow::ArrayData> Find(std::string_view name) const;
  static bool Fits(const otap::Column& model, const arrow::ArrayData& array);

  std::string path_;
  std::span<const otap::Column> model_;
  arrow::Status* status_;
  std::vector<std::string> names_;
  std::vector<std::shared_ptr<arrow::ArrayData>> arrays_;
};

}  // namespace df::otlp
