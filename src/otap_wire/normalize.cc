#include "otap_wire/normalize.h"

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <arrow/util/checked_cast.h>
#include <fmt/format.h>

#include "otap/column_concat.h"

namespace df::otap_wire {
namespace {

using arrow::internal::checked_cast;
using otap::Column;
using otap::ColumnType;
using ArrayPtr = std::shared_ptr<arrow::Array>;

/// One level of a table: its columns, or the children of a struct.
struct Level {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
};

class Normalizer {
 public:
  explicit Normalizer(const otap::TableInfo& info) : info_(info) {}

  arrow::Result<Level> Normalize(const std::string& prefix, std::span<const Column> columns,
                                 const Level& level) const {
    std::vector<int> source(columns.size(), -1);
    for (size_t i = 0; i < level.fields.size(); ++i) {
      const std::string& name = level.fields[i]->name();
      const Column* column = otap::FindColumn(columns, name);
      if (column == nullptr) {
        return Problem(prefix + name, "found a column that the model lacks");
      }
      int& position = source[static_cast<size_t>(column - columns.data())];
      if (position >= 0) {
        return Problem(prefix + name, "found it twice, expected each column once");
      }
      position = static_cast<int>(i);
    }
    Level result;
    for (size_t i = 0; i < columns.size(); ++i) {
      if (source[i] < 0) {
        continue;
      }
      const auto from = static_cast<size_t>(source[i]);
      ARROW_ASSIGN_OR_RAISE(ArrayPtr array, NormalizeColumn(prefix + std::string(columns[i].name),
                                                            columns[i], level.arrays[from]));
      result.fields.push_back(
          level.fields[from]->WithType(array->type())->WithNullable(!columns[i].required));
      result.arrays.push_back(std::move(array));
    }
    return result;
  }

 private:
  arrow::Status Problem(std::string_view path, std::string_view what) const {
    return arrow::Status::Invalid(
        fmt::format("table {}, column {}: {}", info_.directory, path, what));
  }

  arrow::Result<ArrayPtr> NormalizeColumn(const std::string& path, const Column& column,
                                          const ArrayPtr& array) const {
    switch (column.type) {
      case ColumnType::kTimestamp:
        return WithoutZone(array);
      case ColumnType::kListUInt64:
      case ColumnType::kListFloat64:
      case ColumnType::kListQuantile:
        return NormalizeList(path, column, array);
      case ColumnType::kStruct:
        return NormalizeStruct(path, column, array);
      default:
        return array;
    }
  }

  static ArrayPtr WithoutZone(const ArrayPtr& array) {
    const auto nanoseconds = arrow::timestamp(arrow::TimeUnit::NANO);
    if (array->type_id() != arrow::Type::TIMESTAMP || array->type()->Equals(nanoseconds) ||
        checked_cast<const arrow::TimestampType&>(*array->type()).unit() != arrow::TimeUnit::NANO) {
      return array;
    }
    auto data = array->data()->Copy();
    data->type = nanoseconds;
    return arrow::MakeArray(std::move(data));
  }

  arrow::Result<ArrayPtr> NormalizeList(const std::string& path, const Column& column,
                                        const ArrayPtr& array) const {
    if (array->type_id() != arrow::Type::LIST && array->type_id() != arrow::Type::LARGE_LIST) {
      return array;
    }
    const auto native = otap::NativeType(column);
    const auto& item = checked_cast<const arrow::BaseListType&>(*native).value_type();
    const auto& found = checked_cast<const arrow::BaseListType&>(*array->type()).value_type();
    if (!found->Equals(*item) && !HasSameChildren(*found, *item)) {
      return array;
    }
    auto data = array->data()->Copy();
    data->child_data[0] = data->child_data[0]->Copy();
    data->child_data[0]->type = item;
    if (array->type_id() == arrow::Type::LARGE_LIST) {
      ARROW_RETURN_NOT_OK(NarrowOffsets(path, *array, data.get()));
    }
    data->type = native;
    return arrow::MakeArray(std::move(data));
  }

  /// Compares structs by names and types of their fields; nullability does not count.
  static bool HasSameChildren(const arrow::DataType& found, const arrow::DataType& expected) {
    if (found.id() != expected.id() || found.num_fields() != expected.num_fields() ||
        found.num_fields() == 0) {
      return false;
    }
    for (int i = 0; i < found.num_fields(); ++i) {
      if (found.field(i)->name() != expected.field(i)->name() ||
          !found.field(i)->type()->Equals(*expected.field(i)->type())) {
        return false;
      }
    }
    return true;
  }

  arrow::Status NarrowOffsets(const std::string& path, const arrow::Array& array,
                              arrow::ArrayData* data) const {
    const auto& list = checked_cast<const arrow::LargeListArray&>(array);
    ARROW_ASSIGN_OR_RAISE(
        auto offsets,
        arrow::AllocateBuffer((list.length() + 1) * static_cast<int64_t>(sizeof(int32_t))));
    auto* narrow = reinterpret_cast<int32_t*>(offsets->mutable_data());
    narrow[0] = 0;
    for (int64_t row = 0; row <= list.length(); ++row) {
      const int64_t offset = list.length() == 0 ? 0 : list.raw_value_offsets()[row];
      if (offset > std::numeric_limits<int32_t>::max()) {
        return Problem(path,
                       fmt::format("found list items up to {}, expected 32-bit offsets", offset));
      }
      narrow[row] = static_cast<int32_t>(offset);
    }
    ARROW_ASSIGN_OR_RAISE(data->buffers[0], otap::CopyValidity(array));
    data->buffers[1] = std::move(offsets);
    data->offset = 0;
    return arrow::Status::OK();
  }

  arrow::Result<ArrayPtr> NormalizeStruct(const std::string& path, const Column& column,
                                          const ArrayPtr& array) const {
    if (array->type_id() != arrow::Type::STRUCT) {
      return array;
    }
    const auto& group = checked_cast<const arrow::StructArray&>(*array);
    Level level{group.type()->fields(), {}};
    for (int i = 0; i < group.num_fields(); ++i) {
      level.arrays.push_back(group.field(i));
    }
    ARROW_ASSIGN_OR_RAISE(Level children, Normalize(path + ".", column.children, level));
    if (column.name == "body") {
      ARROW_RETURN_NOT_OK(FillTypes(&children));
    }
    ARROW_ASSIGN_OR_RAISE(auto validity, otap::CopyValidity(group));
    return std::make_shared<arrow::StructArray>(arrow::struct_(children.fields), group.length(),
                                                children.arrays, std::move(validity),
                                                group.null_count());
  }

  /// A record without a body has a null type in the tables of one of the producers.
  static arrow::Status FillTypes(Level* body) {
    for (size_t i = 0; i < body->fields.size(); ++i) {
      const auto& types = body->arrays[i];
      if (body->fields[i]->name() != "type" || types->type_id() != arrow::Type::UINT8 ||
          types->null_count() == 0) {
        continue;
      }
      const auto& values = checked_cast<const arrow::UInt8Array&>(*types);
      arrow::UInt8Builder filled;
      ARROW_RETURN_NOT_OK(filled.Reserve(values.length()));
      for (int64_t row = 0; row < values.length(); ++row) {
        filled.UnsafeAppend(values.IsNull(row) ? uint8_t{0} : values.Value(row));
      }
      ARROW_ASSIGN_OR_RAISE(body->arrays[i], filled.Finish());
    }
    return arrow::Status::OK();
  }

  const otap::TableInfo& info_;
};

}  // namespace

arrow::Result<std::shared_ptr<arrow::RecordBatch>> NormalizeTable(otap::TableKind kind,
                                                                  const arrow::RecordBatch& table) {
  const otap::TableInfo& info = otap::GetTable(kind);
  // First, because nothing may be read out of arrays whose offsets or indices are wrong.
  if (const auto buffers = table.ValidateFull(); !buffers.ok()) {
    return arrow::Status::Invalid(fmt::format("table {}: {}", info.directory, buffers.message()));
  }
  ARROW_ASSIGN_OR_RAISE(
      Level level,
      Normalizer(info).Normalize("", info.columns, {table.schema()->fields(), table.columns()}));
  return arrow::RecordBatch::Make(arrow::schema(std::move(level.fields)), table.num_rows(),
                                  std::move(level.arrays));
}

}  // namespace df::otap_wire
