#include "otap/id_encoding.h"

#include <array>
#include <bit>
#include <string>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <arrow/util/bitmap_ops.h>
#include <arrow/util/checked_cast.h>
#include <fmt/format.h>

namespace df::otap {
namespace {

using arrow::internal::checked_cast;
using ArrayPtr = std::shared_ptr<arrow::Array>;

arrow::Status WrongType(const TableInfo& table, std::string_view column,
                        const arrow::DataType& found) {
  return arrow::Status::Invalid(fmt::format("table {}, column {}: {} is no type of the model",
                                            table.directory, column, found.ToString()));
}

/// How a value compares with that of the row before it.
enum class Likeness : uint8_t { kDifferent, kEqual, kBothNull };

/// Likeness of every row; the first row differs from anything.
using Likenesses = std::vector<Likeness>;

/// Two doubles are equal when their bits are: NaN continues a run of the same NaN, -0.0 and 0.0 do
/// not (format reference 3.4; the other reading, ==, is found in one of the two known producers).
template <typename T>
bool IsEqual(const T& left, const T& right) {
  if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<uint64_t>(left) == std::bit_cast<uint64_t>(right);
  } else {
    return left == right;
  }
}

/// `value(row)` is called for valid rows only.
template <typename IsNull, typename Value>
Likenesses Compare(int64_t num_rows, const IsNull& is_null, const Value& value) {
  Likenesses result(static_cast<size_t>(num_rows), Likeness::kDifferent);
  for (int64_t row = 1; row < num_rows; ++row) {
    const bool is_left_null = is_null(row - 1);
    const bool is_right_null = is_null(row);
    if (is_left_null && is_right_null) {
      result[static_cast<size_t>(row)] = Likeness::kBothNull;
    } else if (!is_left_null && !is_right_null && IsEqual(value(row - 1), value(row))) {
      result[static_cast<size_t>(row)] = Likeness::kEqual;
    }
  }
  return result;
}

template <typename ArrayType>
Likenesses ComparePlain(const arrow::Array& array) {
  const auto& values = checked_cast<const ArrayType&>(array);
  return Compare(
      values.length(), [&](int64_t row) { return values.IsNull(row); },
      [&](int64_t row) { return values.GetView(row); });
}

/// A value of a dictionary column. A dictionary may hold a value twice, so that other indices say
/// nothing; the same index does.
template <typename ArrayType>
struct Entry {
  const ArrayType* values;
  int64_t index;

  bool operator==(const Entry& other) const {
    return index == other.index || values->GetView(index) == values->GetView(other.index);
  }
};

template <typename ArrayType, typename Index>
Likenesses CompareEntries(const arrow::DictionaryArray& array, const Index& index) {
  const auto& values = checked_cast<const ArrayType&>(*array.dictionary());
  const arrow::Array& indices = *array.indices();
  const bool has_null = values.null_count() > 0;
  return Compare(
      array.length(),
      [&](int64_t row) { return indices.IsNull(row) || (has_null && values.IsNull(index(row))); },
      [&](int64_t row) { return Entry<ArrayType>{&values, index(row)}; });
}

template <typename ArrayType>
Likenesses CompareCoded(const arrow::DictionaryArray& array) {
  switch (array.indices()->type_id()) {
    case arrow::Type::UINT8: {
      const auto* indices = checked_cast<const arrow::UInt8Array&>(*array.indices()).raw_values();
      return CompareEntries<ArrayType>(array, [=](int64_t row) { return int64_t{indices[row]}; });
    }
    case arrow::Type::UINT16: {
      const auto* indices = checked_cast<const arrow::UInt16Array&>(*array.indices()).raw_values();
      return CompareEntries<ArrayType>(array, [=](int64_t row) { return int64_t{indices[row]}; });
    }
    default:
      return CompareEntries<ArrayType>(array,
                                       [&](int64_t row) { return array.GetValueIndex(row); });
  }
}

arrow::Result<Likenesses> CompareDictionary(const arrow::DictionaryArray& array) {
  switch (array.dictionary()->type_id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return CompareCoded<arrow::BinaryArray>(array);
    case arrow::Type::FIXED_SIZE_BINARY:
      return CompareCoded<arrow::FixedSizeBinaryArray>(array);
    case arrow::Type::INT64:
      return CompareCoded<arrow::Int64Array>(array);
    default:
      return arrow::Status::Invalid(array.type()->ToString(), " is no type of the model");
  }
}

/// Compares every row of a column with the row before it.
arrow::Result<Likenesses> CompareRows(const arrow::Array& array) {
  switch (array.type_id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return ComparePlain<arrow::BinaryArray>(array);
    case arrow::Type::FIXED_SIZE_BINARY:
      return ComparePlain<arrow::FixedSizeBinaryArray>(array);
    case arrow::Type::UINT8:
      return ComparePlain<arrow::UInt8Array>(array);
    case arrow::Type::INT64:
      return ComparePlain<arrow::Int64Array>(array);
    case arrow::Type::DOUBLE:
      return ComparePlain<arrow::DoubleArray>(array);
    case arrow::Type::BOOL:
      return ComparePlain<arrow::BooleanArray>(array);
    case arrow::Type::DICTIONARY:
      return CompareDictionary(checked_cast<const arrow::DictionaryArray&>(array));
    default:
      return arrow::Status::Invalid(array.type()->ToString(), " is no type of the model");
  }
}

arrow::Result<Likenesses> CompareColumn(const TableInfo& info, const arrow::RecordBatch& table,
                                        std::string_view name) {
  const ArrayPtr array = table.GetColumnByName(std::string(name));
  if (array == nullptr) {
    // An absent column is a column of nulls.
    Likenesses nulls(static_cast<size_t>(table.num_rows()), Likeness::kBothNull);
    if (!nulls.empty()) {
      nulls.front() = Likeness::kDifferent;
    }
    return nulls;
  }
  auto result = CompareRows(*array);
  return result.ok() ? result : WrongType(info, name, *array->type());
}

/// Says for every row whether its parent_id is a difference (true) or literal.
using Runs = std::vector<bool>;

/// Source: format reference 3.4; null equals null, as exemplars without a value demand.
arrow::Result<Runs> KeyRuns(const TableInfo& info, const arrow::RecordBatch& table) {
  Runs runs(static_cast<size_t>(table.num_rows()), true);
  if (!runs.empty()) {
    runs.front() = false;
  }
  for (const std::string_view name : info.quasi_delta_key) {
    if (name.empty()) {
      continue;
    }
    ARROW_ASSIGN_OR_RAISE(const Likenesses likenesses, CompareColumn(info, table, name));
    for (size_t row = 0; row < runs.size(); ++row) {
      runs[row] = runs[row] && likenesses[row] != Likeness::kDifferent;
    }
  }
  return runs;
}

/// Source: format reference 3.4; a run goes on while type, key and active value are equal, for the
/// types whose values are compared at all.
arrow::Result<Runs> AttributeRuns(const TableInfo& info, const arrow::RecordBatch& table) {
  static constexpr std::array<std::string_view, 8> kComparedValue = {"",     "str", "int", "double",
                                                                     "bool", "",    "",    "bytes"};
  Runs runs(static_cast<size_t>(table.num_rows()), false);
  const ArrayPtr types = table.GetColumnByName("type");
  if (types == nullptr || types->type_id() != arrow::Type::UINT8) {
    return types == nullptr ? arrow::Result<Runs>(runs) : WrongType(info, "type", *types->type());
  }
  ARROW_ASSIGN_OR_RAISE(const Likenesses same_type, CompareColumn(info, table, "type"));
  ARROW_ASSIGN_OR_RAISE(const Likenesses same_key, CompareColumn(info, table, "key"));
  std::array<Likenesses, kComparedValue.size()> same_value;
  for (size_t type = 0; type < kComparedValue.size(); ++type) {
    if (!kComparedValue[type].empty()) {
      ARROW_ASSIGN_OR_RAISE(same_value[type], CompareColumn(info, table, kComparedValue[type]));
    }
  }
  const auto& type_values = checked_cast<const arrow::UInt8Array&>(*types);
  for (size_t row = 1; row < runs.size(); ++row) {
    const size_t type = type_values.Value(static_cast<int64_t>(row));
    runs[row] = type < same_value.size() && !same_value[type].empty() &&
                same_type[row] == Likeness::kEqual && same_key[row] == Likeness::kEqual &&
                same_value[type][row] == Likeness::kEqual;
  }
  return runs;
}

/// Adds differences up. `values(row)` is called for valid rows only; a null stays null and the
/// next row goes on from the last valid one. Sums wrap at the width of the output.
template <typename ArrayType, typename Value>
arrow::Result<ArrayPtr> AddUp(const arrow::Array& encoded, const Value& value, const Runs* runs) {
  using T = typename ArrayType::value_type;
  arrow::NumericBuilder<typename ArrayType::TypeClass> builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(encoded.length()));
  T before = 0;
  for (int64_t row = 0; row < encoded.length(); ++row) {
    if (encoded.IsNull(row)) {
      builder.UnsafeAppendNull();
      continue;
    }
    const bool is_difference = runs == nullptr || (*runs)[static_cast<size_t>(row)];
    before = static_cast<T>((is_difference ? before : T{0}) + static_cast<T>(value(row)));
    builder.UnsafeAppend(before);
  }
  return builder.Finish();
}

/// Decodes a column of ids of `bits` width. Without `runs` it is plain delta.
/// Shape: the result is native also where the input is a dictionary.
arrow::Result<ArrayPtr> DecodeColumn(const TableInfo& info, std::string_view path, int bits,
                                     const arrow::Array& encoded, const Runs* runs,
                                     DictionaryRule rule) {
  if (bits == 16 && encoded.type_id() == arrow::Type::UINT16) {
    const auto& values = checked_cast<const arrow::UInt16Array&>(encoded);
    return AddUp<arrow::UInt16Array>(encoded, [&](int64_t row) { return values.Value(row); }, runs);
  }
  if (bits == 32 && encoded.type_id() == arrow::Type::UINT32) {
    const auto& values = checked_cast<const arrow::UInt32Array&>(encoded);
    return AddUp<arrow::UInt32Array>(encoded, [&](int64_t row) { return values.Value(row); }, runs);
  }
  if (bits == 32 && rule == DictionaryRule::kAny && encoded.type_id() == arrow::Type::DICTIONARY) {
    const auto& indices = checked_cast<const arrow::DictionaryArray&>(encoded);
    if (indices.dictionary()->type_id() == arrow::Type::UINT32 &&
        indices.dictionary()->null_count() == 0) {
      const auto& values = checked_cast<const arrow::UInt32Array&>(*indices.dictionary());
      return AddUp<arrow::UInt32Array>(
          encoded, [&](int64_t row) { return values.Value(indices.GetValueIndex(row)); }, runs);
    }
  }
  return WrongType(info, path, *encoded.type());
}

using TablePtr = std::shared_ptr<arrow::RecordBatch>;

arrow::Result<TablePtr> ReplaceColumn(const TablePtr& table, const std::string& name,
                                      const ArrayPtr& array) {
  const int position = table->schema()->GetFieldIndex(name);
  return table->SetColumn(position, table->schema()->field(position)->WithType(array->type()),
                          array);
}

/// Whether a field may say that its ids are plain.
enum class Marks : uint8_t { kIgnored, kHonoured };

bool IsPlain(const arrow::Field& field, Marks marks) {
  return marks == Marks::kHonoured && field.HasMetadata() &&
         field.metadata()->Get("encoding").ValueOr("") == "plain";
}

/// Decodes resource.id or scope.id inside its struct. The struct's own nulls do not matter.
arrow::Result<TablePtr> DecodeNested(const TableInfo& info, const TablePtr& table,
                                     const std::string& name, Marks marks) {
  const ArrayPtr array = table->GetColumnByName(name);
  if (array == nullptr) {
    return table;
  }
  if (array->type_id() != arrow::Type::STRUCT) {
    return WrongType(info, name, *array->type());
  }
  const auto& group = checked_cast<const arrow::StructArray&>(*array);
  const int position = group.struct_type()->GetFieldIndex("id");
  if (position < 0 || IsPlain(*group.type()->field(position), marks)) {
    return table;
  }
  arrow::ArrayVector children;
  for (int i = 0; i < group.num_fields(); ++i) {
    children.push_back(group.field(i));
  }
  auto& ids = children[static_cast<size_t>(position)];
  ARROW_ASSIGN_OR_RAISE(ids,
                        DecodeColumn(info, name + ".id", 16, *ids, nullptr, DictionaryRule::kNone));
  std::shared_ptr<arrow::Buffer> validity;
  if (group.null_count() > 0) {
    // The children have no offset of the struct any more, so its bitmap must not have one either.
    ARROW_ASSIGN_OR_RAISE(validity, arrow::internal::CopyBitmap(arrow::default_memory_pool(),
                                                                group.null_bitmap_data(),
                                                                group.offset(), group.length()));
  }
  return ReplaceColumn(table, name,
                       std::make_shared<arrow::StructArray>(group.type(), group.length(), children,
                                                            validity, group.null_count()));
}

arrow::Result<Runs> RunsOf(const TableInfo& info, const arrow::RecordBatch& table) {
  switch (info.parent_encoding) {
    case ParentEncoding::kQuasiDelta:
      return KeyRuns(info, table);
    case ParentEncoding::kQuasiDeltaAttribute:
      return AttributeRuns(info, table);
    case ParentEncoding::kNone:
    case ParentEncoding::kDelta:
      break;
  }
  return Runs(static_cast<size_t>(table.num_rows()), true);
}

arrow::Result<ArrayPtr> DecodeParents(const TableInfo& info, const arrow::RecordBatch& table,
                                      const arrow::Array& encoded) {
  const DictionaryRule rule = FindColumn(info.columns, "parent_id")->dictionary;
  ARROW_ASSIGN_OR_RAISE(const Runs runs, RunsOf(info, table));
  return DecodeColumn(info, "parent_id", info.parent_id_bits, encoded, &runs, rule);
}

arrow::Result<TablePtr> DecodeTable(const TableInfo& info, TablePtr table, Marks marks) {
  const auto encoded = [&](const std::string& name) -> ArrayPtr {
    const auto field = table->schema()->GetFieldByName(name);
    return field == nullptr || IsPlain(*field, marks) ? nullptr : table->GetColumnByName(name);
  };
  if (const ArrayPtr parents = encoded("parent_id");
      parents != nullptr && info.parent_id_bits != 0) {
    ARROW_ASSIGN_OR_RAISE(const ArrayPtr decoded, DecodeParents(info, *table, *parents));
    ARROW_ASSIGN_OR_RAISE(table, ReplaceColumn(table, "parent_id", decoded));
  }
  if (const ArrayPtr ids = encoded("id"); ids != nullptr && info.id_bits != 0) {
    ARROW_ASSIGN_OR_RAISE(const ArrayPtr decoded, DecodeColumn(info, "id", info.id_bits, *ids,
                                                               nullptr, DictionaryRule::kNone));
    ARROW_ASSIGN_OR_RAISE(table, ReplaceColumn(table, "id", decoded));
  }
  if (info.is_root()) {
    ARROW_ASSIGN_OR_RAISE(table, DecodeNested(info, table, "resource", marks));
    ARROW_ASSIGN_OR_RAISE(table, DecodeNested(info, table, "scope", marks));
  }
  return table;
}

}  // namespace

arrow::Result<BatchPtr> DecodeTransportIds(const BatchPtr& batch) {
  if (batch->id_encoding() == IdEncoding::kPlain) {
    return batch;
  }
  BatchBuilder builder(batch->signal(), IdEncoding::kPlain);
  for (const TableInfo& info : AllTables()) {
    if (batch->table(info.kind) != nullptr) {
      ARROW_ASSIGN_OR_RAISE(auto table,
                            DecodeTable(info, batch->table(info.kind), Marks::kIgnored));
      ARROW_RETURN_NOT_OK(builder.Set(info.kind, std::move(table)));
    }
  }
  return builder.Build();
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> DecodeTransportTable(
    TableKind kind, const std::shared_ptr<arrow::RecordBatch>& table) {
  return DecodeTable(GetTable(kind), table, Marks::kHonoured);
}

arrow::Result<std::vector<bool>> ParentRuns(TableKind kind, const arrow::RecordBatch& table) {
  return RunsOf(GetTable(kind), table);
}

}  // namespace df::otap
