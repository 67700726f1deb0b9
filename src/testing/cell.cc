#include "testing/cell.h"

#include <bit>
#include <unordered_map>
#include <unordered_set>

#include <arrow/api.h>
#include <arrow/util/checked_cast.h>
#include <fmt/format.h>

namespace df::testing {
namespace {

using arrow::internal::checked_cast;

std::string DoubleText(double value) {
  // Two NaN of different bits are different values to a lossless reader.
  return value == value ? fmt::format("{}", value)
                        : fmt::format("nan#{:x}", std::bit_cast<uint64_t>(value));
}

std::string BytesText(std::string_view bytes) {
  std::string text = "\"";
  for (const char c : bytes) {
    if (c < 0x20 || c > 0x7e || c == '"' || c == '\\') {
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      text += c;
    }
  }
  return text + "\"";
}

template <typename T, typename Print>
std::string ListText(const std::vector<T>& items, Print print) {
  std::string text = "[";
  for (const T& item : items) {
    text += print(item) + " ";
  }
  return text + "]";
}

int64_t NanosPer(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND:
      return 1'000'000'000;
    case arrow::TimeUnit::MILLI:
      return 1'000'000;
    case arrow::TimeUnit::MICRO:
      return 1'000;
    case arrow::TimeUnit::NANO:
      return 1;
  }
  return 1;
}

template <typename ArrayType>
Cell Unsigned(const arrow::Array& array, int64_t row) {
  return uint64_t{checked_cast<const ArrayType&>(array).Value(row)};
}
template <typename ArrayType>
Cell Signed(const arrow::Array& array, int64_t row) {
  return int64_t{checked_cast<const ArrayType&>(array).Value(row)};
}
template <typename ArrayType>
Cell Bytes(const arrow::Array& array, int64_t row) {
  return std::string(checked_cast<const ArrayType&>(array).GetView(row));
}

arrow::Result<Cell> ReadList(const arrow::Array& items) {
  switch (items.type_id()) {
    case arrow::Type::UINT64: {
      const auto& values = checked_cast<const arrow::UInt64Array&>(items);
      std::vector<uint64_t> list;
      for (int64_t i = 0; i < values.length(); ++i) {
        list.push_back(values.Value(i));
      }
      return list;
    }
    case arrow::Type::DOUBLE: {
      const auto& values = checked_cast<const arrow::DoubleArray&>(items);
      std::vector<double> list;
      for (int64_t i = 0; i < values.length(); ++i) {
        list.push_back(values.Value(i));
      }
      return list;
    }
    case arrow::Type::STRUCT: {
      const auto& pairs = checked_cast<const arrow::StructArray&>(items);
      const auto quantiles = pairs.GetFieldByName("quantile");
      const auto values = pairs.GetFieldByName("value");
      if (quantiles == nullptr || values == nullptr) {
        return arrow::Status::NotImplemented("list of ", items.type()->ToString());
      }
      std::vector<QuantileCell> list;
      for (int64_t i = 0; i < pairs.length(); ++i) {
        list.push_back({checked_cast<const arrow::DoubleArray&>(*quantiles).Value(i),
                        checked_cast<const arrow::DoubleArray&>(*values).Value(i)});
      }
      return list;
    }
    default:
      return arrow::Status::NotImplemented("list of ", items.type()->ToString());
  }
}

/// Converts any number to T; null is zero.
template <typename T>
T NumberOf(const Cell& cell) {
  return std::visit(
      [](const auto& value) -> T {
        if constexpr (std::is_arithmetic_v<std::decay_t<decltype(value)>>) {
          return static_cast<T>(value);
        } else {
          return T{};
        }
      },
      cell);
}

template <typename BuilderType>
arrow::Status AppendNumber(arrow::ArrayBuilder* builder, const Cell& cell) {
  return checked_cast<BuilderType*>(builder)->Append(
      NumberOf<typename BuilderType::value_type>(cell));
}

arrow::Status AppendList(arrow::ArrayBuilder* items, const Cell& cell) {
  if (const auto* counts = std::get_if<std::vector<uint64_t>>(&cell)) {
    return checked_cast<arrow::UInt64Builder*>(items)->AppendValues(*counts);
  }
  if (const auto* bounds = std::get_if<std::vector<double>>(&cell)) {
    return checked_cast<arrow::DoubleBuilder*>(items)->AppendValues(*bounds);
  }
  auto* pairs = checked_cast<arrow::StructBuilder*>(items);
  for (const QuantileCell& pair : std::get<std::vector<QuantileCell>>(cell)) {
    ARROW_RETURN_NOT_OK(pairs->Append());
    ARROW_RETURN_NOT_OK(
        checked_cast<arrow::DoubleBuilder*>(pairs->field_builder(0))->Append(pair.quantile));
    ARROW_RETURN_NOT_OK(
        checked_cast<arrow::DoubleBuilder*>(pairs->field_builder(1))->Append(pair.value));
  }
  return arrow::Status::OK();
}

template <typename BuilderType>
arrow::Status AppendListRow(arrow::ArrayBuilder* builder, const Cell& cell) {
  auto* list = checked_cast<BuilderType*>(builder);
  ARROW_RETURN_NOT_OK(list->Append());
  return AppendList(list->value_builder(), cell);
}

arrow::Status AppendCell(arrow::ArrayBuilder* builder, const Cell& cell) {
  if (IsNull(cell)) {
    return builder->AppendNull();
  }
  switch (builder->type()->id()) {
    case arrow::Type::BOOL:
      return checked_cast<arrow::BooleanBuilder*>(builder)->Append(NumberOf<bool>(cell));
    case arrow::Type::UINT8:
      return AppendNumber<arrow::UInt8Builder>(builder, cell);
    case arrow::Type::UINT16:
      return AppendNumber<arrow::UInt16Builder>(builder, cell);
    case arrow::Type::UINT32:
      return AppendNumber<arrow::UInt32Builder>(builder, cell);
    case arrow::Type::UINT64:
      return AppendNumber<arrow::UInt64Builder>(builder, cell);
    case arrow::Type::INT8:
      return AppendNumber<arrow::Int8Builder>(builder, cell);
    case arrow::Type::INT16:
      return AppendNumber<arrow::Int16Builder>(builder, cell);
    case arrow::Type::INT32:
      return AppendNumber<arrow::Int32Builder>(builder, cell);
    case arrow::Type::INT64:
      return AppendNumber<arrow::Int64Builder>(builder, cell);
    case arrow::Type::DOUBLE:
      return AppendNumber<arrow::DoubleBuilder>(builder, cell);
    case arrow::Type::TIMESTAMP: {
      const auto unit = checked_cast<const arrow::TimestampType&>(*builder->type()).unit();
      return checked_cast<arrow::TimestampBuilder*>(builder)->Append(NumberOf<int64_t>(cell) /
                                                                     NanosPer(unit));
    }
    case arrow::Type::DURATION:
      return checked_cast<arrow::DurationBuilder*>(builder)->Append(NumberOf<int64_t>(cell));
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return checked_cast<arrow::BinaryBuilder*>(builder)->Append(std::get<std::string>(cell));
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
      return checked_cast<arrow::LargeBinaryBuilder*>(builder)->Append(std::get<std::string>(cell));
    case arrow::Type::STRING_VIEW:
    case arrow::Type::BINARY_VIEW:
      return checked_cast<arrow::BinaryViewBuilder*>(builder)->Append(std::get<std::string>(cell));
    case arrow::Type::FIXED_SIZE_BINARY:
      return checked_cast<arrow::FixedSizeBinaryBuilder*>(builder)->Append(
          std::get<std::string>(cell));
    case arrow::Type::LIST:
      return AppendListRow<arrow::ListBuilder>(builder, cell);
    case arrow::Type::LARGE_LIST:
      return AppendListRow<arrow::LargeListBuilder>(builder, cell);
    default:
      return arrow::Status::NotImplemented("build ", builder->type()->ToString());
  }
}

arrow::Result<uint64_t> LargestIndex(const arrow::DataType& type) {
  const int bits = checked_cast<const arrow::FixedWidthType&>(type).bit_width();
  const int value_bits = arrow::is_signed_integer(type.id()) ? bits - 1 : bits;
  return value_bits >= 63 ? ~uint64_t{0} >> 1 : (uint64_t{1} << value_bits) - 1;
}

arrow::Result<std::shared_ptr<arrow::Array>> BuildDictionary(
    const std::shared_ptr<arrow::DataType>& type, const std::vector<Cell>& cells) {
  const auto& dictionary = checked_cast<const arrow::DictionaryType&>(*type);
  std::unordered_map<std::string, uint64_t> positions;
  std::vector<Cell> values;
  std::vector<Cell> indices;
  for (const Cell& cell : cells) {
    if (IsNull(cell)) {
      indices.emplace_back();
      continue;
    }
    const auto [entry, is_new] = positions.try_emplace(CellText(cell), values.size());
    if (is_new) {
      values.push_back(cell);
    }
    indices.emplace_back(entry->second);
  }
  ARROW_ASSIGN_OR_RAISE(const uint64_t largest, LargestIndex(*dictionary.index_type()));
  if (!values.empty() && values.size() - 1 > largest) {
    return arrow::Status::Invalid(
        fmt::format("{} values do not fit {}", values.size(), type->ToString()));
  }
  ARROW_ASSIGN_OR_RAISE(auto index_array, BuildArray(dictionary.index_type(), indices));
  ARROW_ASSIGN_OR_RAISE(auto value_array, BuildArray(dictionary.value_type(), values));
  return arrow::DictionaryArray::FromArrays(type, index_array, value_array);
}

arrow::Result<CellColumn> ReadColumn(const std::string& name, const arrow::Array& array) {
  CellColumn column{name, array.type(), {}, {}};
  if (array.type_id() == arrow::Type::STRUCT) {
    const auto& group = checked_cast<const arrow::StructArray&>(array);
    for (int64_t row = 0; row < array.length(); ++row) {
      column.cells.push_back(array.IsNull(row) ? Cell() : Cell(true));
    }
    for (int i = 0; i < group.num_fields(); ++i) {
      ARROW_ASSIGN_OR_RAISE(auto child,
                            ReadColumn(group.struct_type()->field(i)->name(), *group.field(i)));
      column.children.push_back(std::move(child));
    }
    return column;
  }
  column.cells.reserve(static_cast<size_t>(array.length()));
  for (int64_t row = 0; row < array.length(); ++row) {
    ARROW_ASSIGN_OR_RAISE(Cell cell, ReadCell(array, row));
    column.cells.push_back(std::move(cell));
  }
  return column;
}

arrow::Result<std::shared_ptr<arrow::Array>> BuildColumn(const CellColumn& column) {
  if (column.children.empty()) {
    return BuildArray(column.type, column.cells);
  }
  arrow::ArrayVector children;
  arrow::FieldVector fields;
  for (const CellColumn& child : column.children) {
    ARROW_ASSIGN_OR_RAISE(auto array, BuildColumn(child));
    fields.push_back(arrow::field(child.name, array->type()));
    children.push_back(std::move(array));
  }
  arrow::TypedBufferBuilder<bool> validity;
  int64_t null_count = 0;
  for (const Cell& cell : column.cells) {
    ARROW_RETURN_NOT_OK(validity.Append(!IsNull(cell)));
    null_count += IsNull(cell) ? 1 : 0;
  }
  ARROW_ASSIGN_OR_RAISE(auto bitmap, validity.Finish());
  return std::make_shared<arrow::StructArray>(arrow::struct_(fields),
                                              static_cast<int64_t>(column.cells.size()), children,
                                              null_count == 0 ? nullptr : bitmap, null_count);
}

void VisitColumns(std::vector<CellColumn>& columns, const std::string& prefix,
                  const std::function<void(const std::string&, CellColumn&)>& visit) {
  for (CellColumn& column : columns) {
    const std::string path = prefix + column.name;
    if (column.children.empty()) {
      visit(path, column);
    } else {
      VisitColumns(column.children, path + ".", visit);
    }
  }
}

CellColumn TakeColumn(const CellColumn& column, const std::vector<int64_t>& order) {
  CellColumn taken{column.name, column.type, {}, {}};
  taken.cells.reserve(order.size());
  for (const int64_t row : order) {
    taken.cells.push_back(column.cells[static_cast<size_t>(row)]);
  }
  for (const CellColumn& child : column.children) {
    taken.children.push_back(TakeColumn(child, order));
  }
  return taken;
}

}  // namespace

std::string CellText(const Cell& cell) {
  struct Printer {
    std::string operator()(std::monostate) const { return "null"; }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(int64_t value) const { return fmt::format("{}", value); }
    std::string operator()(uint64_t value) const { return fmt::format("{}", value); }
    std::string operator()(double value) const { return DoubleText(value); }
    std::string operator()(const std::string& value) const { return BytesText(value); }
    std::string operator()(const std::vector<uint64_t>& list) const {
      return ListText(list, [](uint64_t item) { return fmt::format("{}", item); });
    }
    std::string operator()(const std::vector<double>& list) const {
      return ListText(list, DoubleText);
    }
    std::string operator()(const std::vector<QuantileCell>& list) const {
      return ListText(list, [](const QuantileCell& item) {
        return DoubleText(item.quantile) + "=" + DoubleText(item.value);
      });
    }
  };
  return std::visit(Printer{}, cell);
}

CellColumn* FindCells(std::vector<CellColumn>& columns, std::string_view name) {
  for (CellColumn& column : columns) {
    if (column.name == name) {
      return &column;
    }
  }
  return nullptr;
}

const CellColumn* FindCells(const std::vector<CellColumn>& columns, std::string_view name) {
  for (const CellColumn& column : columns) {
    if (column.name == name) {
      return &column;
    }
  }
  return nullptr;
}

void VisitLeaves(CellTable& table,
                 const std::function<void(const std::string& path, CellColumn& leaf)>& visit) {
  VisitColumns(table.columns, "", visit);
}

arrow::Result<Cell> ReadCell(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) {
    return Cell();
  }
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      return Cell(checked_cast<const arrow::BooleanArray&>(array).Value(row));
    case arrow::Type::UINT8:
      return Unsigned<arrow::UInt8Array>(array, row);
    case arrow::Type::UINT16:
      return Unsigned<arrow::UInt16Array>(array, row);
    case arrow::Type::UINT32:
      return Unsigned<arrow::UInt32Array>(array, row);
    case arrow::Type::UINT64:
      return Unsigned<arrow::UInt64Array>(array, row);
    case arrow::Type::INT32:
      return Signed<arrow::Int32Array>(array, row);
    case arrow::Type::INT64:
      return Signed<arrow::Int64Array>(array, row);
    case arrow::Type::DURATION:
      return Signed<arrow::DurationArray>(array, row);
    case arrow::Type::TIMESTAMP: {
      const auto unit = checked_cast<const arrow::TimestampType&>(*array.type()).unit();
      return Cell(checked_cast<const arrow::TimestampArray&>(array).Value(row) * NanosPer(unit));
    }
    case arrow::Type::DOUBLE:
      return Cell(checked_cast<const arrow::DoubleArray&>(array).Value(row));
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return Bytes<arrow::BinaryArray>(array, row);
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
      return Bytes<arrow::LargeBinaryArray>(array, row);
    case arrow::Type::STRING_VIEW:
    case arrow::Type::BINARY_VIEW:
      return Bytes<arrow::BinaryViewArray>(array, row);
    case arrow::Type::FIXED_SIZE_BINARY:
      return Bytes<arrow::FixedSizeBinaryArray>(array, row);
    case arrow::Type::DICTIONARY: {
      const auto& dictionary = checked_cast<const arrow::DictionaryArray&>(array);
      return ReadCell(*dictionary.dictionary(), dictionary.GetValueIndex(row));
    }
    case arrow::Type::LIST:
      return ReadList(*checked_cast<const arrow::ListArray&>(array).value_slice(row));
    case arrow::Type::LARGE_LIST:
      return ReadList(*checked_cast<const arrow::LargeListArray&>(array).value_slice(row));
    default:
      return arrow::Status::NotImplemented("read ", array.type()->ToString());
  }
}

arrow::Result<CellTable> ReadCells(const arrow::RecordBatch& table) {
  CellTable cells{table.num_rows(), {}};
  for (int i = 0; i < table.num_columns(); ++i) {
    ARROW_ASSIGN_OR_RAISE(auto column, ReadColumn(table.column_name(i), *table.column(i)));
    cells.columns.push_back(std::move(column));
  }
  return cells;
}

arrow::Result<std::shared_ptr<arrow::Array>> BuildArray(
    const std::shared_ptr<arrow::DataType>& type, const std::vector<Cell>& cells) {
  if (type->id() == arrow::Type::DICTIONARY) {
    return BuildDictionary(type, cells);
  }
  ARROW_ASSIGN_OR_RAISE(auto builder, arrow::MakeBuilder(type));
  for (const Cell& cell : cells) {
    ARROW_RETURN_NOT_OK(AppendCell(builder.get(), cell));
  }
  return builder->Finish();
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> BuildRecords(const CellTable& table) {
  arrow::ArrayVector arrays;
  arrow::FieldVector fields;
  for (const CellColumn& column : table.columns) {
    ARROW_ASSIGN_OR_RAISE(auto array, BuildColumn(column));
    fields.push_back(arrow::field(column.name, array->type()));
    arrays.push_back(std::move(array));
  }
  return arrow::RecordBatch::Make(arrow::schema(fields), table.num_rows, std::move(arrays));
}

CellTable TakeRows(const CellTable& table, const std::vector<int64_t>& order) {
  CellTable taken{static_cast<int64_t>(order.size()), {}};
  for (const CellColumn& column : table.columns) {
    taken.columns.push_back(TakeColumn(column, order));
  }
  return taken;
}

size_t CountDistinct(const std::vector<Cell>& cells) {
  std::unordered_set<std::string> texts;
  for (const Cell& cell : cells) {
    if (!IsNull(cell)) {
      texts.insert(CellText(cell));
    }
  }
  return texts.size();
}

}  // namespace df::testing
