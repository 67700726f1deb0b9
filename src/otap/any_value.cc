#include "otap/any_value.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace df::otap {

using arrow::internal::checked_cast;

ValueType TypeOf(const AttributeValue& value) {
  constexpr std::array kTypes = {ValueType::kText, ValueType::kInteger, ValueType::kDouble,
                                 ValueType::kBool};
  return kTypes[value.index()];
}

AttributeValue ParseAttributeValue(std::string_view text, bool is_quoted) {
  if (is_quoted) {
    return std::string(text);
  }
  if (text == "true" || text == "false") {
    return text == "true";
  }
  const char* end = text.data() + text.size();
  int64_t integer = 0;
  if (const auto read = std::from_chars(text.data(), end, integer);
      read.ec == std::errc() && read.ptr == end) {
    return integer;
  }
  double number = 0;
  if (const auto read = std::from_chars(text.data(), end, number);
      read.ec == std::errc() && read.ptr == end && std::isfinite(number)) {
    return number;
  }
  return std::string(text);
}

BytesColumn::BytesColumn(std::shared_ptr<arrow::Array> array) : array_(std::move(array)) {
  if (array_ == nullptr) {
    return;
  }
  if (array_->type_id() == arrow::Type::DICTIONARY) {
    codes_ = checked_cast<const arrow::DictionaryArray*>(array_.get());
    values_ = checked_cast<const arrow::BinaryArray*>(codes_->dictionary().get());
  } else {
    values_ = checked_cast<const arrow::BinaryArray*>(array_.get());
  }
}

ValueColumns::ValueColumns(const Find& find)
    : type_(std::static_pointer_cast<arrow::UInt8Array>(find("type"))),
      text_(find("str")),
      bytes_(find("bytes")),
      serialised_(find("ser")),
      integer_(find("int")),
      double_(std::static_pointer_cast<arrow::DoubleArray>(find("double"))),
      bool_(std::static_pointer_cast<arrow::BooleanArray>(find("bool"))) {}

ValueColumns ValueColumns::Of(const arrow::RecordBatch& table) {
  return ValueColumns([&](const std::string& name) { return table.GetColumnByName(name); });
}

ValueColumns ValueColumns::Of(const arrow::StructArray& group) {
  return ValueColumns([&](const std::string& name) -> std::shared_ptr<arrow::Array> {
    const int index = checked_cast<const arrow::StructType&>(*group.type()).GetFieldIndex(name);
    return index < 0 ? nullptr : group.GetFlattenedField(index).ValueOr(nullptr);
  });
}

int64_t ValueColumns::IntegerAt(int64_t row) const {
  if (integer_ == nullptr || integer_->IsNull(row)) {
    return 0;
  }
  if (integer_->type_id() != arrow::Type::DICTIONARY) {
    return checked_cast<const arrow::Int64Array&>(*integer_).Value(row);
  }
  const auto& codes = checked_cast<const arrow::DictionaryArray&>(*integer_);
  const auto& values = checked_cast<const arrow::Int64Array&>(*codes.dictionary());
  const int64_t code = codes.GetValueIndex(row);
  return values.IsNull(code) ? 0 : values.Value(code);
}

std::optional<bool> ValueColumns::BoolAt(int64_t row) const {
  if (bool_ == nullptr) {
    return false;
  }
  return bool_->IsNull(row) ? std::nullopt : std::optional(bool_->Value(row));
}

}  // namespace df::otap
