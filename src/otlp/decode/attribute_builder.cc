#include "otlp/decode/attribute_builder.h"

namespace df::otlp {

bool ValueBuilder::Set(int64_t row, const ParsedValue& value) {
  types_.Set(row, static_cast<uint8_t>(value.type));
  switch (value.type) {
    case ValueType::kEmpty:
      return true;
    case ValueType::kText:
      return text_.Set(row, value.bytes);
    case ValueType::kInteger:
      integers_.Set(row, value.integer);
      return true;
    case ValueType::kDouble:
      reals_.Set(row, value.real);
      return true;
    case ValueType::kBool:
      booleans_.Set(row, value.boolean);
      return true;
    case ValueType::kMap:
    case ValueType::kArray:
      return cbor_.Set(row, value.bytes);
    case ValueType::kBytes:
      return bytes_.Set(row, value.bytes);
  }
  return false;
}

arrow::Result<Validity> ValueBuilder::RowsOf(ValueType type, int64_t num_rows) const {
  const std::span<const uint8_t> types = types_.values();
  if (static_cast<int64_t>(types.size()) < num_rows) {
    return MakeValidity(num_rows,
                        [&](int64_t row) { return types_.At(row) == static_cast<uint8_t>(type); });
  }
  return MakeValidity(num_rows, [&types, type](int64_t row) {
    return types[static_cast<size_t>(row)] == static_cast<uint8_t>(type);
  });
}

void ValueBuilder::AddColumns(TableFrame* frame) {
  const int64_t num_rows = frame->num_rows();
  const auto add = [&](std::string_view name, ValueType type, bool is_empty, auto&& finish) {
    if (is_empty) {
      return;
    }
    arrow::Result<Validity> validity = RowsOf(type, num_rows);
    frame->Add(name, validity.ok() ? finish(*std::move(validity))
                                   : arrow::Result<ArrayDataPtr>(validity.status()));
  };
  frame->Add("type", types_.Finish(arrow::uint8(), num_rows));
  frame->Add("str", text_.Finish(num_rows));
  add("int", ValueType::kInteger, integers_.empty(), [&](Validity validity) {
    return integers_.Finish(arrow::int64(), num_rows, std::move(validity));
  });
  add("double", ValueType::kDouble, reals_.empty(), [&](Validity validity) {
    return reals_.Finish(arrow::float64(), num_rows, std::move(validity));
  });
  add("bool", ValueType::kBool, booleans_.empty(),
      [&](Validity validity) { return booleans_.FinishIfSet(num_rows, std::move(validity)); });
  frame->Add("bytes", bytes_.Finish(num_rows));
  frame->Add("ser", cbor_.Finish(num_rows));
}

void ValueBuilder::Clear() {
  types_.Clear();
  text_.Clear();
  integers_.Clear();
  reals_.Clear();
  booleans_.Clear();
  bytes_.Clear();
  cbor_.Clear();
}

bool AttributeBuilder::Append(uint32_t parent, std::string_view key_value, ValueReader* reader) {
  std::string_view key;
  ParsedValue value;
  if (!reader->ReadKeyValue(key_value, ValueLevelOf(kind_), &key, &value)) {
    return false;
  }
  const int64_t row = num_rows_++;
  parents_.Set(row, parent);
  return keys_.Set(row, key) && values_.Set(row, value);
}

arrow::Result<ArrayDataPtr> AttributeBuilder::FinishParents() {
  if (otap::GetTable(kind_).parent_id_bits == 32) {
    return parents_.Finish(arrow::uint32(), num_rows_);
  }
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> buffer,
                        arrow::AllocateBuffer(num_rows_ * static_cast<int64_t>(sizeof(uint16_t))));
  auto* narrow = reinterpret_cast<uint16_t*>(buffer->mutable_data());
  for (int64_t row = 0; row < num_rows_; ++row) {
    narrow[row] = static_cast<uint16_t>(parents_.At(row));
  }
  return arrow::ArrayData::Make(arrow::uint16(), num_rows_, {nullptr, std::move(buffer)}, 0);
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> AttributeBuilder::Finish() {
  if (num_rows_ == 0) {
    return nullptr;
  }
  TableFrame frame(num_rows_);
  frame.Add("parent_id", FinishParents());
  frame.Add("key", keys_.Finish(num_rows_));
  values_.AddColumns(&frame);
  return frame.Build();
}

void AttributeBuilder::Clear() {
  num_rows_ = 0;
  parents_.Clear();
  keys_.Clear();
  values_.Clear();
}

}  // namespace df::otlp
