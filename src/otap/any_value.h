// Typed values as attributes and bodies hold them: a type and one active column.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <arrow/api.h>
#include <arrow/util/checked_cast.h>

namespace df::otap {

/// Numbers of the `type` column. Source: format reference 2.13.
enum class ValueType : uint8_t {
  kEmpty = 0,
  kText = 1,
  kInteger = 2,
  kDouble = 3,
  kBool = 4,
  kMap = 5,
  kSlice = 6,
  kBytes = 7,
};

/// A value that a person may write.
using AttributeValue = std::variant<std::string, int64_t, double, bool>;

ValueType TypeOf(const AttributeValue& value);

/// Reads a value as people write it: `true` and `false`, whole numbers and numbers with a fraction
/// are what they look like, unless they are quoted; all else is text.
AttributeValue ParseAttributeValue(std::string_view text, bool is_quoted);

/// A text or binary column, plain or dictionary.
class BytesColumn {
 public:
  BytesColumn() = default;
  explicit BytesColumn(std::shared_ptr<arrow::Array> array);

  bool is_present() const { return array_ != nullptr; }
  /// Entries of the dictionary; 0 for a plain column.
  int64_t num_codes() const { return codes_ == nullptr ? 0 : values_->length(); }
  /// The place in the dictionary of a row that is not null.
  int64_t CodeAt(int64_t row) const { return codes_->GetValueIndex(row); }
  /// The bytes of an entry of the dictionary; "" for a null one.
  std::string_view EntryAt(int64_t code) const {
    return values_->IsNull(code) ? std::string_view() : values_->GetView(code);
  }

  /// The bytes of a row; "" for null, and where the column is absent.
  std::string_view At(int64_t row) const {
    if (IsNull(row)) {
      return {};
    }
    return values_->GetView(codes_ == nullptr ? row : CodeAt(row));
  }
  bool IsNull(int64_t row) const {
    return array_ == nullptr || array_->IsNull(row) ||
           (codes_ != nullptr && values_->IsNull(CodeAt(row)));
  }

 private:
  std::shared_ptr<arrow::Array> array_;
  const arrow::DictionaryArray* codes_ = nullptr;
  const arrow::BinaryArray* values_ = nullptr;
};

/// The columns of a value: of an attribute table, or of the body of log records.
class ValueColumns {
 public:
  using Find = std::function<std::shared_ptr<arrow::Array>(const std::string& name)>;

  explicit ValueColumns(const Find& find);
  static ValueColumns Of(const arrow::RecordBatch& table);
  /// Children of a struct; a null row is empty.
  static ValueColumns Of(const arrow::StructArray& group);

  ValueType TypeAt(int64_t row) const {
    return type_ == nullptr || type_->IsNull(row) ? ValueType::kEmpty
                                                  : static_cast<ValueType>(type_->Value(row));
  }
  const BytesColumn& text() const { return text_; }
  const BytesColumn& bytes() const { return bytes_; }
  /// CBOR of a map or slice.
  const BytesColumn& serialised() const { return serialised_; }
  int64_t IntegerAt(int64_t row) const;
  double DoubleAt(int64_t row) const {
    return double_ == nullptr || double_->IsNull(row) ? 0 : double_->Value(row);
  }
  /// Nothing for a null; an absent column is false.
  std::optional<bool> BoolAt(int64_t row) const;

 private:
  std::shared_ptr<arrow::UInt8Array> type_;
  BytesColumn text_;
  BytesColumn bytes_;
  BytesColumn serialised_;
  std::shared_ptr<arrow::Array> integer_;
  std::shared_ptr<arrow::DoubleArray> double_;
  std::shared_ptr<arrow::BooleanArray> bool_;
};

}  // namespace df::otap
