#include "lake/write/batch_rows.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include <arrow/api.h>
#include <arrow/array/concatenate.h>
#include <arrow/compute/api_vector.h>
#include <arrow/util/checked_cast.h>
#include <fmt/format.h>

#include "base/error.h"
#include "lake/write/file_schema.h"
#include "otap/column_concat.h"
#include "otap/explicit_booleans.h"
#include "otap/rows.h"

namespace df::lake {
namespace {

using arrow::internal::checked_cast;
using otap::Column;
using otap::ColumnRole;
using otap::ColumnType;
using otap::TableKind;
using ArrayPtr = std::shared_ptr<arrow::Array>;
using TablePtr = std::shared_ptr<arrow::RecordBatch>;

/// Where an id column stands: `group` is null for the table itself.
std::optional<IdPlace> PlaceOf(const Column& column, const Column* group) {
  switch (column.role) {
    case ColumnRole::kData:
      return std::nullopt;
    case ColumnRole::kParentId:
      return IdPlace::kParentId;
    case ColumnRole::kId:
      if (group == nullptr) {
        return IdPlace::kId;
      }
      return group->name == "resource" ? IdPlace::kResourceId : IdPlace::kScopeId;
  }
  return std::nullopt;
}

size_t Index(IdPlace place) { return static_cast<size_t>(place); }

/// Names of list items and whether they may be null differ between producers and mean nothing.
bool IsSameType(const arrow::DataType& found, const arrow::DataType& expected) {
  if (found.id() != expected.id() || found.num_fields() != expected.num_fields()) {
    return false;
  }
  if (found.num_fields() == 0) {
    return found.Equals(expected);
  }
  for (int i = 0; i < found.num_fields(); ++i) {
    if (!IsSameType(*found.field(i)->type(), *expected.field(i)->type())) {
      return false;
    }
  }
  return true;
}

bool IsAllowed(const Column& column, const arrow::DataType& type) {
  const auto native = otap::NativeType(column);
  if (type.id() == arrow::Type::DICTIONARY && column.dictionary != otap::DictionaryRule::kNone) {
    const auto& coded = checked_cast<const arrow::DictionaryType&>(type);
    const arrow::Type::type keys = coded.index_type()->id();
    return coded.value_type()->Equals(*native) &&
           (keys == arrow::Type::UINT8 || keys == arrow::Type::UINT16);
  }
  return IsSameType(type, *native);
}

/// Checks the columns of a table, or of a struct named `group`.
Status CheckColumns(TableKind kind, std::span<const Column> columns, std::string_view group,
                    const arrow::FieldVector& found) {
  for (const auto& field : found) {
    const std::string path =
        group.empty() ? field->name() : fmt::format("{}.{}", group, field->name());
    const Column* column = otap::FindColumn(columns, field->name());
    if (column == nullptr) {
      return Status::Invalid(fmt::format("table {}: column {} is not of the model",
                                         otap::GetTable(kind).directory, path));
    }
    const arrow::DataType& type = *field->type();
    if (column->type == ColumnType::kStruct && type.id() == arrow::Type::STRUCT) {
      ARROW_RETURN_NOT_OK(CheckColumns(kind, column->children, column->name, type.fields()));
    } else if (!IsAllowed(*column, type)) {
      return Status::Invalid(fmt::format("table {}: column {}: found {}, expected {}",
                                         otap::GetTable(kind).directory, path, type.ToString(),
                                         otap::NativeType(*column)->ToString()));
    }
  }
  return Status::OK();
}

/// Files have no place for nulls in columns that the model requires.
Status CheckRequired(const otap::TableInfo& table, const arrow::RecordBatch& rows) {
  for (const Column& column : table.columns) {
    if (!column.required) {
      continue;
    }
    const ArrayPtr array = rows.GetColumnByName(std::string(column.name));
    if (array == nullptr || array->ComputeLogicalNullCount() != 0) {
      return Status::Invalid(
          fmt::format("table {}: column {}: found {}, expected a value in every row",
                      table.directory, column.name, array == nullptr ? "no column" : "null"));
    }
  }
  return Status::OK();
}

/// Returns ids as they are in files; nulls stay null.
Result<ArrayPtr> ShiftIds(const arrow::Array& ids, uint32_t first_id) {
  ARROW_ASSIGN_OR_RAISE(
      std::shared_ptr<arrow::Buffer> values,
      arrow::AllocateBuffer(ids.length() * static_cast<int64_t>(sizeof(uint32_t))));
  auto* const shifted = reinterpret_cast<uint32_t*>(values->mutable_data());
  if (ids.null_count() != 0) {
    std::fill_n(shifted, ids.length(), 0);
  }
  otap::VisitIds(ids, [&](int64_t row, uint32_t id) { shifted[row] = first_id + id; });
  ARROW_ASSIGN_OR_RAISE(auto validity, otap::CopyValidity(ids));
  return std::make_shared<arrow::UInt32Array>(ids.length(), std::move(values), std::move(validity));
}

/// Takes columns of one level apart: data stays, ids are set aside with `first_id` added.
class LevelSplitter {
 public:
  LevelSplitter(uint32_t first_id, BatchRows* rows) : first_id_(first_id), rows_(rows) {}

  /// Adds the data columns among `found` to the two lists; `group` is null for the table itself.
  Status Split(std::span<const Column> columns, const Column* group,
               const arrow::FieldVector& found, const arrow::ArrayVector& arrays,
               arrow::FieldVector* fields, arrow::ArrayVector* kept) {
    for (size_t i = 0; i < found.size(); ++i) {
      const Column& column = *otap::FindColumn(columns, found[i]->name());
      ArrayPtr array = arrays[i];
      if (const auto place = PlaceOf(column, group)) {
        ARROW_ASSIGN_OR_RAISE(rows_->ids[Index(*place)], ShiftIds(*array, first_id_));
        continue;
      }
      if (column.type == ColumnType::kStruct) {
        ARROW_ASSIGN_OR_RAISE(array, SplitStruct(column, array));
      }
      fields->push_back(arrow::field(found[i]->name(), array->type()));
      kept->push_back(std::move(array));
    }
    return Status::OK();
  }

 private:
  Result<ArrayPtr> SplitStruct(const Column& column, const ArrayPtr& array) {
    const auto& group = checked_cast<const arrow::StructArray&>(*array);
    arrow::FieldVector fields;
    arrow::ArrayVector children;
    ARROW_RETURN_NOT_OK(Split(column.children, &column, group.type()->fields(), group.fields(),
                              &fields, &children));
    ARROW_ASSIGN_OR_RAISE(auto validity, otap::CopyValidity(*array));
    return std::make_shared<arrow::StructArray>(arrow::struct_(std::move(fields)), array->length(),
                                                std::move(children), std::move(validity));
  }

  uint32_t first_id_;
  BatchRows* rows_;
};

bool IsAscending(const arrow::UInt32Array& ids) {
  return ids.null_count() == 0 && std::is_sorted(ids.raw_values(), ids.raw_values() + ids.length());
}

/// Puts rows in the order of their parents; those of one parent stay in their order.
Status SortByParent(BatchRows* rows) {
  const ArrayPtr& parents = rows->ids[Index(IdPlace::kParentId)];
  if (parents == nullptr) {
    return Status::OK();
  }
  const auto& ids = checked_cast<const arrow::UInt32Array&>(*parents);
  if (IsAscending(ids)) {
    return Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(
      const std::shared_ptr<arrow::Buffer> buffer,
      arrow::AllocateBuffer(ids.length() * static_cast<int64_t>(sizeof(uint64_t))));
  // The row stands below its parent in one number: no row is looked up while they are sorted.
  auto* const order = reinterpret_cast<uint64_t*>(buffer->mutable_data());
  for (int64_t row = 0; row < ids.length(); ++row) {
    const uint64_t parent = ids.IsValid(row) ? ids.Value(row) : UINT32_MAX;
    order[row] = parent << 32 | static_cast<uint64_t>(row);
  }
  std::sort(order, order + ids.length());
  for (int64_t row = 0; row < ids.length(); ++row) {
    order[row] &= UINT32_MAX;
  }
  const arrow::UInt64Array indices(ids.length(), buffer);
  const auto options = arrow::compute::TakeOptions::NoBoundsCheck();
  arrow::ArrayVector columns;
  for (const ArrayPtr& column : rows->data->columns()) {
    ARROW_ASSIGN_OR_RAISE(ArrayPtr taken, arrow::compute::Take(*column, indices, options));
    columns.push_back(std::move(taken));
  }
  rows->data =
      arrow::RecordBatch::Make(rows->data->schema(), rows->data->num_rows(), std::move(columns));
  for (ArrayPtr& column : rows->ids) {
    if (column != nullptr) {
      ARROW_ASSIGN_OR_RAISE(column, arrow::compute::Take(*column, indices, options));
    }
  }
  return Status::OK();
}

/// Puts the columns of one level of a file together.
class LevelBuilder {
 public:
  LevelBuilder(int64_t num_rows, const std::array<ArrayPtr, kNumIdPlaces>& ids)
      : num_rows_(num_rows), ids_(ids) {}

  /// `data` is null where no batch has the column.
  Result<ArrayPtr> Build(const Column& column, const Column* group, const arrow::DataType& type,
                         ArrayPtr data) {
    if (const auto place = PlaceOf(column, group)) {
      data = ids_[Index(*place)];
    }
    if (data == nullptr) {
      return arrow::MakeArrayOfNull(type.GetSharedPtr(), num_rows_);
    }
    if (column.type == ColumnType::kStruct) {
      return BuildStruct(column, type, data);
    }
    const bool is_text = column.type == ColumnType::kUtf8 || column.type == ColumnType::kBinary;
    if (data->type_id() == arrow::Type::DICTIONARY &&
        (!is_text ||
         checked_cast<const arrow::DictionaryArray&>(*data).dictionary()->null_count() != 0)) {
      ARROW_ASSIGN_OR_RAISE(data, otap::DecodeDictionary(data));
    }
    return data->type()->num_fields() == 0 ? data : otap::WithType(data, type.GetSharedPtr());
  }

 private:
  Result<ArrayPtr> BuildStruct(const Column& column, const arrow::DataType& type,
                               const ArrayPtr& data) {
    const auto& found = checked_cast<const arrow::StructArray&>(*data);
    arrow::ArrayVector children;
    arrow::FieldVector fields;
    for (size_t i = 0; i < column.children.size(); ++i) {
      const auto& field = type.field(static_cast<int>(i));
      ARROW_ASSIGN_OR_RAISE(ArrayPtr child, Build(column.children[i], &column, *field->type(),
                                                  found.GetFieldByName(field->name())));
      fields.push_back(field->WithType(child->type()));
      children.push_back(std::move(child));
    }
    ARROW_ASSIGN_OR_RAISE(auto validity, otap::CopyValidity(*data));
    return std::make_shared<arrow::StructArray>(arrow::struct_(std::move(fields)), num_rows_,
                                                std::move(children), std::move(validity));
  }

  int64_t num_rows_;
  const std::array<ArrayPtr, kNumIdPlaces>& ids_;
};

/// Joins one id column of all pieces; null when none has it.
Result<ArrayPtr> JoinIds(const std::vector<BatchRows>& pieces, size_t place) {
  const bool is_present = std::any_of(pieces.begin(), pieces.end(), [&](const BatchRows& piece) {
    return piece.ids[place] != nullptr;
  });
  if (!is_present) {
    return ArrayPtr();
  }
  arrow::ArrayVector parts;
  for (const BatchRows& piece : pieces) {
    parts.push_back(piece.ids[place]);
    if (parts.back() == nullptr) {
      ARROW_ASSIGN_OR_RAISE(parts.back(),
                            arrow::MakeArrayOfNull(arrow::uint32(), piece.data->num_rows()));
    }
  }
  return arrow::Concatenate(parts);
}

}  // namespace

Status CheckShape(const otap::Batch& batch) {
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (const TablePtr& rows = batch.table(table.kind); rows != nullptr) {
      ARROW_RETURN_NOT_OK(CheckColumns(table.kind, table.columns, "", rows->schema()->fields()));
      ARROW_RETURN_NOT_OK(CheckRequired(table, *rows));
    }
  }
  return Status::OK();
}

Result<BatchRows> TakeApart(TableKind kind, const TablePtr& table, uint32_t first_id) {
  BatchRows rows;
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  LevelSplitter splitter(first_id, &rows);
  ARROW_RETURN_NOT_OK(splitter.Split(otap::GetTable(kind).columns, nullptr,
                                     table->schema()->fields(), table->columns(), &fields,
                                     &columns));
  rows.data = arrow::RecordBatch::Make(arrow::schema(std::move(fields)), table->num_rows(),
                                       std::move(columns));
  ARROW_RETURN_NOT_OK(SortByParent(&rows));
  return rows;
}

Status NullBareIds(const TablePtr& attributes, uint32_t first_id, BatchRows* logs) {
  ArrayPtr& column = logs->ids[Index(IdPlace::kId)];
  if (column == nullptr) {
    return Status::OK();
  }
  std::vector<bool> has_attributes(size_t{UINT16_MAX} + 1, false);
  if (attributes != nullptr) {
    otap::VisitIds(*attributes->GetColumnByName("parent_id"),
                   [&](int64_t, uint32_t id) { has_attributes[id & UINT16_MAX] = true; });
  }
  const auto& ids = checked_cast<const arrow::UInt32Array&>(*column);
  auto is_bare = [&](int64_t row) {
    return ids.IsValid(row) && !has_attributes[(ids.Value(row) - first_id) & UINT16_MAX];
  };
  int64_t row = 0;
  while (row < ids.length() && !is_bare(row)) {
    ++row;
  }
  if (row == ids.length()) {
    return Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> validity,
                        arrow::AllocateEmptyBitmap(ids.length()));
  for (row = 0; row < ids.length(); ++row) {
    arrow::bit_util::SetBitTo(validity->mutable_data(), row, ids.IsValid(row) && !is_bare(row));
  }
  column = std::make_shared<arrow::UInt32Array>(ids.length(), ids.values(), std::move(validity));
  return Status::OK();
}

Result<TablePtr> PutTogether(TableKind kind, const std::vector<BatchRows>& pieces) {
  arrow::RecordBatchVector tables;
  int64_t num_rows = 0;
  for (const BatchRows& piece : pieces) {
    ARROW_ASSIGN_OR_RAISE(auto data, otap::WithExplicitBooleans(kind, piece.data));
    tables.push_back(std::move(data));
    num_rows += piece.data->num_rows();
  }
  std::array<ArrayPtr, kNumIdPlaces> ids;
  for (size_t place = 0; place < ids.size(); ++place) {
    ARROW_ASSIGN_OR_RAISE(ids[place], JoinIds(pieces, place));
  }
  ARROW_ASSIGN_OR_RAISE(const TablePtr data, otap::ConcatTables(kind, tables));
  const auto& schema = FileSchema(kind);
  const auto& columns = otap::GetTable(kind).columns;
  LevelBuilder builder(num_rows, ids);
  arrow::ArrayVector arrays;
  arrow::FieldVector fields;
  for (size_t i = 0; i < columns.size(); ++i) {
    const auto& field = schema->field(static_cast<int>(i));
    ARROW_ASSIGN_OR_RAISE(ArrayPtr array, builder.Build(columns[i], nullptr, *field->type(),
                                                        data->GetColumnByName(field->name())));
    fields.push_back(field->WithType(array->type()));
    arrays.push_back(std::move(array));
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), num_rows, std::move(arrays));
}

uint32_t LargestId(const otap::Batch& batch) {
  uint32_t largest = 0;
  for (const otap::TableInfo& table : otap::AllTables()) {
    const TablePtr& rows = batch.table(table.kind);
    for (const char* name : {"id", "parent_id"}) {
      if (const ArrayPtr ids = otap::FindArray(rows, name); ids != nullptr) {
        largest = std::max(largest, otap::LargestId(*ids));
      }
    }
  }
  for (const otap::GroupTable& group : otap::kGroupTables) {
    if (const ArrayPtr ids = otap::StoredGroupIds(batch.root(), group.group); ids != nullptr) {
      largest = std::max(largest, otap::LargestId(*ids));
    }
  }
  return largest;
}

}  // namespace df::lake
