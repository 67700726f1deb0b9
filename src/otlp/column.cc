#include "otlp/column.h"

#include <fmt/format.h>

#include "otap/schema_tables.h"

namespace df::otlp {
namespace {

using otap::ColumnType;

bool IsNanoseconds(const arrow::DataType& type) {
  if (type.id() == arrow::Type::TIMESTAMP) {
    return static_cast<const arrow::TimestampType&>(type).unit() == arrow::TimeUnit::NANO;
  }
  return static_cast<const arrow::DurationType&>(type).unit() == arrow::TimeUnit::NANO;
}

bool IsFixedBinary(const arrow::DataType& type, int width) {
  return type.id() == arrow::Type::FIXED_SIZE_BINARY &&
         static_cast<const arrow::FixedSizeBinaryType&>(type).byte_width() == width;
}

bool IsListOf(const arrow::DataType& type, arrow::Type::type item) {
  return type.id() == arrow::Type::LIST && type.field(0)->type()->id() == item;
}

bool FitsNative(ColumnType model, const arrow::DataType& type) {
  switch (model) {
    case ColumnType::kUInt8:
      return type.id() == arrow::Type::UINT8;
    case ColumnType::kUInt16:
      return type.id() == arrow::Type::UINT16;
    case ColumnType::kUInt32:
      return type.id() == arrow::Type::UINT32;
    case ColumnType::kUInt64:
      return type.id() == arrow::Type::UINT64;
    case ColumnType::kInt32:
      return type.id() == arrow::Type::INT32;
    case ColumnType::kInt64:
      return type.id() == arrow::Type::INT64;
    case ColumnType::kFloat64:
      return type.id() == arrow::Type::DOUBLE;
    case ColumnType::kBool:
      return type.id() == arrow::Type::BOOL;
    case ColumnType::kUtf8:
      return type.id() == arrow::Type::STRING;
    case ColumnType::kBinary:
      return type.id() == arrow::Type::BINARY;
    case ColumnType::kFixedBinary8:
      return IsFixedBinary(type, 8);
    case ColumnType::kFixedBinary16:
      return IsFixedBinary(type, 16);
    case ColumnType::kTimestamp:
      return type.id() == arrow::Type::TIMESTAMP && IsNanoseconds(type);
    case ColumnType::kDuration:
      return type.id() == arrow::Type::DURATION && IsNanoseconds(type);
    case ColumnType::kListUInt64:
      return IsListOf(type, arrow::Type::UINT64);
    case ColumnType::kListFloat64:
      return IsListOf(type, arrow::Type::DOUBLE);
    case ColumnType::kListQuantile:
      return IsListOf(type, arrow::Type::STRUCT);
    case ColumnType::kStruct:
      return type.id() == arrow::Type::STRUCT;
  }
  return false;
}

}  // namespace

void Column::BindRows(const arrow::ArrayData& array) {
  is_present_ = true;
  validity_offset_ = array.offset;
  validity_ = array.GetNullCount() != 0 ? array.GetValues<uint8_t>(0, 0) : nullptr;
  is_full_ = validity_ == nullptr;
  if (array.dictionary == nullptr) {
    return;
  }
  const auto& type = static_cast<const arrow::DictionaryType&>(*array.type);
  index_bytes_ = type.index_type()->bit_width() / 8;
  indices_ = array.GetValues<uint8_t>(1, 0) + array.offset * index_bytes_;
  if (array.dictionary->GetNullCount() != 0) {
    value_validity_ = array.dictionary->GetValues<uint8_t>(0, 0);
    value_offset_ = array.dictionary->offset;
    is_full_ = false;
  }
}

void BoolColumn::Bind(const arrow::ArrayData& array) {
  BindRows(array);
  const arrow::ArrayData& values = array.dictionary != nullptr ? *array.dictionary : array;
  values_ = values.GetValues<uint8_t>(1, 0);
  offset_ = values.offset;
}

void BytesColumn::Bind(const arrow::ArrayData& array) {
  BindRows(array);
  const arrow::ArrayData& values = array.dictionary != nullptr ? *array.dictionary : array;
  offsets_ = values.GetValues<int32_t>(1);
  data_ = values.GetValues<char>(2, 0);
  if (data_ == nullptr) {
    data_ = "";
  }
}

void FixedBytesColumn::Bind(const arrow::ArrayData& array) {
  BindRows(array);
  const arrow::ArrayData& values = array.dictionary != nullptr ? *array.dictionary : array;
  width_ = static_cast<const arrow::FixedSizeBinaryType&>(*values.type).byte_width();
  data_ = values.GetValues<char>(1, values.offset * width_);
}

void ListRows::Bind(const arrow::ArrayData& array) {
  BindRows(array);
  offsets_ = array.GetValues<int32_t>(1);
}

ColumnSource::ColumnSource(otap::TableKind kind, const arrow::RecordBatch* table,
                           arrow::Status* status)
    : path_(otap::GetTable(kind).directory), model_(otap::GetTable(kind).columns), status_(status) {
  if (table == nullptr) {
    return;
  }
  for (int i = 0; i < table->num_columns(); ++i) {
    names_.push_back(table->schema()->field(i)->name());
    arrays_.push_back(table->column_data(i));
  }
}

ColumnSource ColumnSource::Struct(std::string_view name, StructRows* rows) const {
  const otap::Column* model = otap::FindColumn(model_, name);
  ColumnSource source(fmt::format("{}.{}", path_, name), model->children, status_);
  const std::shared_ptr<arrow::ArrayData> data = Find(name);
  if (data == nullptr) {
    return source;
  }
  if (rows != nullptr) {
    rows->Bind(*data);
    rows->Keep(data);
  }
  const auto array = std::static_pointer_cast<arrow::StructArray>(arrow::MakeArray(data));
  for (int i = 0; i < array->num_fields(); ++i) {
    auto child = array->GetFlattenedField(i);
    if (!child.ok()) {
      *status_ = child.status();
      return source;
    }
    source.names_.push_back(array->struct_type()->field(i)->name());
    source.arrays_.push_back((*child)->data());
  }
  return source;
}

ColumnSource ColumnSource::Items(std::string_view name) const {
  ColumnSource source(fmt::format("{}.{}", path_, name), otap::registry::kQuantileColumns, status_);
  const std::shared_ptr<arrow::ArrayData> data = Find(name);
  if (data == nullptr) {
    return source;
  }
  const auto items =
      std::static_pointer_cast<arrow::StructArray>(arrow::MakeArray(data->child_data[0]));
  for (int i = 0; i < items->num_fields(); ++i) {
    source.names_.push_back(items->struct_type()->field(i)->name());
    source.arrays_.push_back(items->field(i)->data());
  }
  return source;
}

std::shared_ptr<arrow::ArrayData> ColumnSource::Find(std::string_view name) const {
  for (size_t i = 0; i < names_.size(); ++i) {
    if (names_[i] != name) {
      continue;
    }
    const otap::Column* model = otap::FindColumn(model_, name);
    if (model != nullptr && Fits(*model, *arrays_[i])) {
      return arrays_[i];
    }
    if (status_->ok()) {
      *status_ = arrow::Status::Invalid(
          fmt::format("column {}.{} is {}, expected {}", path_, name, arrays_[i]->type->ToString(),
                      model == nullptr ? "no such column" : otap::NativeType(*model)->ToString()));
    }
    return nullptr;
  }
  return nullptr;
}

bool ColumnSource::Fits(const otap::Column& model, const arrow::ArrayData& array) {
  if (array.type->id() != arrow::Type::DICTIONARY) {
    return FitsNative(model.type, *array.type);
  }
  const auto& type = static_cast<const arrow::DictionaryType&>(*array.type);
  const bool is_list = model.type == ColumnType::kListUInt64 ||
                       model.type == ColumnType::kListFloat64 ||
                       model.type == ColumnType::kListQuantile;
  return !is_list && model.type != ColumnType::kStruct &&
         FitsNative(model.type, *type.value_type());
}

}  // namespace df::otlp
