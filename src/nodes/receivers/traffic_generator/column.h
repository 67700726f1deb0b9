// Columns on their way into a table.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <arrow/util/bit_util.h>

namespace df::nodes::receivers::traffic_generator {

/// Which rows have a value.
class Presence {
 public:
  void Append(bool is_present) {
    bits_.push_back(is_present ? 1 : 0);
    num_nulls_ += is_present ? 0 : 1;
  }
  int64_t num_rows() const { return static_cast<int64_t>(bits_.size()); }
  int64_t num_nulls() const { return num_nulls_; }
  bool is_all_null() const { return num_nulls_ == num_rows(); }
  /// Returns a bitmap, or null where every row has a value.
  std::shared_ptr<arrow::Buffer> Finish() const;

  /// Packs bytes into bits.
  static std::shared_ptr<arrow::Buffer> Pack(const std::vector<uint8_t>& bytes);

 private:
  std::vector<uint8_t> bits_;
  int64_t num_nulls_ = 0;
};

/// Values of fixed width.
template <typename T>
class Column {
 public:
  void Append(T value) {
    values_.push_back(value);
    presence_.Append(true);
  }
  void AppendNull() {
    values_.push_back(T());
    presence_.Append(false);
  }
  void AppendIf(bool is_present, T value) { is_present ? Append(value) : AppendNull(); }

  int64_t num_rows() const { return presence_.num_rows(); }
  bool is_all_null() const { return presence_.is_all_null(); }

  /// Returns the values in a type of this width.
  std::shared_ptr<arrow::Array> Finish(const std::shared_ptr<arrow::DataType>& type) {
    const int64_t num_rows = presence_.num_rows();
    auto data = arrow::ArrayData::Make(
        type, num_rows, {presence_.Finish(), arrow::Buffer::FromVector(std::move(values_))},
        presence_.num_nulls());
    return arrow::MakeArray(std::move(data));
  }

  /// Returns the values as indices into a dictionary; for uint16_t.
  std::shared_ptr<arrow::Array> FinishIndices(const std::shared_ptr<arrow::Array>& dictionary) {
    return std::make_shared<arrow::DictionaryArray>(
        arrow::dictionary(arrow::uint16(), dictionary->type()), Finish(arrow::uint16()),
        dictionary);
  }

 private:
  std::vector<T> values_;
  Presence presence_;
};

/// Truths.
class BoolColumn {
 public:
  void Append(bool value) {
    values_.push_back(value ? 1 : 0);
    presence_.Append(true);
  }
  void AppendNull() {
    values_.push_back(0);
    presence_.Append(false);
  }
  int64_t num_rows() const { return presence_.num_rows(); }
  bool is_all_null() const { return presence_.is_all_null(); }
  std::shared_ptr<arrow::Array> Finish() const;

 private:
  std::vector<uint8_t> values_;
  Presence presence_;
};

/// Ids of 8 or 16 bytes.
class IdColumn {
 public:
  explicit IdColumn(int width) : width_(width) {}
  void Append(uint64_t high, uint64_t low);
  void AppendNull() {
    bytes_.resize(bytes_.size() + static_cast<size_t>(width_));
    presence_.Append(false);
  }
  bool is_all_null() const { return presence_.is_all_null(); }
  std::shared_ptr<arrow::Array> Finish();

 private:
  int width_;
  std::vector<uint8_t> bytes_;
  Presence presence_;
};

/// Makes a dictionary of texts.
std::shared_ptr<arrow::Array> MakeTexts(const std::vector<std::string>& texts);

/// A list of which every row has as many values as its offsets say; never null.
std::shared_ptr<arrow::Array> MakeLists(std::vector<int32_t> offsets,
                                        const std::shared_ptr<arrow::Array>& values);

/// Columns of one table in the order of the model.
class Table {
 public:
  /// A null array is left out.
  void Add(std::string name, std::shared_ptr<arrow::Array> column, bool is_nullable = true);
  /// Adds a column unless it is empty of values.
  template <typename C, typename... Args>
  void AddIfAny(std::string name, C* column, Args&&... args) {
    if (!column->is_all_null()) {
      Add(std::move(name), column->Finish(std::forward<Args>(args)...));
    }
  }
  int64_t num_rows() const { return columns_.empty() ? 0 : columns_.front()->length(); }
  std::shared_ptr<arrow::RecordBatch> Finish();
  /// Returns the same columns as one column of structs, of which those without presence are null.
  std::shared_ptr<arrow::Array> FinishStruct(const Presence* presence = nullptr);

 private:
  arrow::FieldVector fields_;
  arrow::ArrayVector columns_;
};

}  // namespace df::nodes::receivers::traffic_generator
