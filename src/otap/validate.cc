#include "otap/validate.h"

#include <algorithm>
#include <string>
#include <unordered_set>
#include <vector>

#include <arrow/api.h>
#include <arrow/util/checked_cast.h>
#include <fmt/format.h>

#include "base/error.h"

namespace df::otap {
namespace {

using arrow::internal::checked_cast;

Status Problem(const TableInfo& table, std::string_view column, std::string_view what) {
  return Status::Invalid(fmt::format("table {}, column {}: {}", table.directory, column, what));
}

/// Compares types of the model; names and nullability of list items do not count, because no two
/// writers agree on them (format reference P30).
bool IsSameType(const arrow::DataType& found, const arrow::DataType& expected) {
  if (found.id() != expected.id()) {
    return false;
  }
  if (found.id() == arrow::Type::LIST) {
    return IsSameType(*checked_cast<const arrow::ListType&>(found).value_type(),
                      *checked_cast<const arrow::ListType&>(expected).value_type());
  }
  if (found.id() == arrow::Type::STRUCT) {
    if (found.num_fields() != expected.num_fields()) {
      return false;
    }
    for (int i = 0; i < found.num_fields(); ++i) {
      if (found.field(i)->name() != expected.field(i)->name() ||
          !IsSameType(*found.field(i)->type(), *expected.field(i)->type())) {
        return false;
      }
    }
    return true;
  }
  return found.Equals(expected);
}

bool IsAllowedType(const arrow::DataType& found, const Column& column) {
  if (found.id() != arrow::Type::DICTIONARY) {
    return IsSameType(found, *NativeType(column));
  }
  const auto& dictionary = checked_cast<const arrow::DictionaryType&>(found);
  const bool is_narrow = dictionary.index_type()->id() == arrow::Type::UINT8;
  const bool is_wide = dictionary.index_type()->id() == arrow::Type::UINT16;
  const bool is_index_allowed = column.dictionary == DictionaryRule::kAny    ? is_narrow || is_wide
                                : column.dictionary == DictionaryRule::kWide ? is_wide
                                                                             : false;
  return is_index_allowed && IsSameType(*dictionary.value_type(), *NativeType(column));
}

std::string ExpectedTypes(const Column& column) {
  const std::string native = NativeType(column)->ToString();
  switch (column.dictionary) {
    case DictionaryRule::kNone:
      return native;
    case DictionaryRule::kAny:
      return native + " or a dictionary of it with uint8 or uint16 keys";
    case DictionaryRule::kWide:
      return native + " or a dictionary of it with uint16 keys";
  }
  return native;
}

/// One level of a table: its columns, or the children of a struct.
struct Level {
  const TableInfo& table;
  std::string prefix;
  std::span<const Column> columns;
  const arrow::FieldVector& fields;
  const arrow::ArrayVector& arrays;
};

Status CheckLevel(const Level& level);

Status CheckColumn(const Level& level, const Column& column, const arrow::Array& array) {
  const std::string path = level.prefix + std::string(column.name);
  if (column.type == ColumnType::kStruct) {
    if (array.type_id() != arrow::Type::STRUCT) {
      return Problem(level.table, path,
                     fmt::format("found {}, expected a struct", array.type()->ToString()));
    }
    const auto& group = checked_cast<const arrow::StructArray&>(array);
    arrow::ArrayVector children;
    for (int i = 0; i < group.num_fields(); ++i) {
      children.push_back(group.field(i));
    }
    return CheckLevel({level.table, path + ".", column.children, group.type()->fields(), children});
  }
  if (!IsAllowedType(*array.type(), column)) {
    return Problem(
        level.table, path,
        fmt::format("found {}, expected {}", array.type()->ToString(), ExpectedTypes(column)));
  }
  // A dictionary may hold a null value, which is a null of the row just as well.
  const int64_t null_count = column.required ? array.ComputeLogicalNullCount() : 0;
  if (null_count > 0) {
    return Problem(level.table, path,
                   fmt::format("found {} nulls, expected none in a required column", null_count));
  }
  return Status::OK();
}

Status CheckLevel(const Level& level) {
  size_t next = 0;
  const auto skip_to = [&](size_t end) -> Status {
    for (; next < end; ++next) {
      if (level.columns[next].required) {
        return Problem(level.table, level.prefix + std::string(level.columns[next].name),
                       "found nothing, expected a required column");
      }
    }
    return Status::OK();
  };
  for (size_t i = 0; i < level.fields.size(); ++i) {
    const std::string& name = level.fields[i]->name();
    const Column* column = FindColumn(level.columns, name);
    if (column == nullptr) {
      return Problem(level.table, level.prefix + name, "found a column that the model lacks");
    }
    const auto position = static_cast<size_t>(column - level.columns.data());
    if (position < next) {
      return Problem(level.table, level.prefix + name,
                     "found it twice or behind a later column, expected the order of the model");
    }
    ARROW_RETURN_NOT_OK(skip_to(position));
    ARROW_RETURN_NOT_OK(CheckColumn(level, *column, *level.arrays[i]));
    next = position + 1;
  }
  return skip_to(level.columns.size());
}

/// A set of ids: a bitmap where they are dense, a hash set where they are not.
class IdSet {
 public:
  /// Makes room for `count` ids up to `largest`.
  IdSet(int64_t count, uint64_t largest) {
    constexpr uint64_t kBitsPerId = 64;
    constexpr uint64_t kSmall = 1 << 16;
    if (largest < kSmall + kBitsPerId * static_cast<uint64_t>(count)) {
      dense_.resize(largest + 1);
    }
  }

  /// Returns whether the id is new.
  bool Insert(uint32_t id) {
    if (dense_.empty()) {
      return sparse_.insert(id).second;
    }
    const bool is_new = !dense_[id];
    dense_[id] = true;
    return is_new;
  }

  bool Contains(uint32_t id) const {
    return dense_.empty() ? sparse_.contains(id) : id < dense_.size() && dense_[id];
  }

 private:
  std::vector<bool> dense_;
  std::unordered_set<uint32_t> sparse_;
};

/// Calls `visit` with every id that is not null, until it returns false.
template <typename Visit>
void VisitIds(const arrow::Array& array, const Visit& visit) {
  const auto walk = [&](const auto& ids, const auto& value) {
    for (int64_t row = 0; row < ids.length(); ++row) {
      if (!ids.IsNull(row) && !visit(static_cast<uint32_t>(value(row)))) {
        return;
      }
    }
  };
  switch (array.type_id()) {
    case arrow::Type::UINT16: {
      const auto& ids = checked_cast<const arrow::UInt16Array&>(array);
      return walk(ids, [&](int64_t row) { return ids.Value(row); });
    }
    case arrow::Type::UINT32: {
      const auto& ids = checked_cast<const arrow::UInt32Array&>(array);
      return walk(ids, [&](int64_t row) { return ids.Value(row); });
    }
    default: {
      const auto& ids = checked_cast<const arrow::DictionaryArray&>(array);
      const auto& values = checked_cast<const arrow::UInt32Array&>(*ids.dictionary());
      return walk(ids, [&](int64_t row) { return values.Value(ids.GetValueIndex(row)); });
    }
  }
}

/// Collects the ids of a column. With `must_be_unique` a repeated id is an error.
Result<IdSet> CollectIds(const TableInfo& table, std::string_view path, const arrow::Array& array,
                         bool must_be_unique) {
  uint32_t largest = 0;
  VisitIds(array, [&](uint32_t id) {
    largest = std::max(largest, id);
    return true;
  });
  IdSet ids(array.length(), largest);
  std::optional<uint32_t> repeated;
  VisitIds(array, [&](uint32_t id) {
    if (!ids.Insert(id) && must_be_unique) {
      repeated = id;
    }
    return !repeated.has_value();
  });
  if (repeated.has_value()) {
    return Problem(table, path, fmt::format("found id {} twice, expected unique ids", *repeated));
  }
  return ids;
}

Status CheckParents(const TableInfo& child, const arrow::RecordBatch& table,
                    const TableInfo& parent, std::string_view parent_path, const IdSet& ids) {
  std::optional<uint32_t> orphan;
  VisitIds(*table.GetColumnByName("parent_id"), [&](uint32_t id) {
    if (!ids.Contains(id)) {
      orphan = id;
    }
    return !orphan.has_value();
  });
  if (orphan.has_value()) {
    return Problem(child, "parent_id",
                   fmt::format("found {}, expected an id that stands in {}.{}", *orphan,
                               parent.directory, parent_path));
  }
  return Status::OK();
}

/// Checks the ids of one table, and the parents in all tables below it.
Status CheckChildren(const Batch& batch, const TableInfo& info) {
  const auto& table = batch.table(info.kind);
  const auto ids = table == nullptr ? nullptr : table->GetColumnByName("id");
  IdSet known(0, 0);
  if (ids != nullptr) {
    ARROW_ASSIGN_OR_RAISE(known, CollectIds(info, "id", *ids, true));
  }
  for (const TableInfo& child : AllTables()) {
    if (child.parent == info.kind && batch.table(child.kind) != nullptr) {
      ARROW_RETURN_NOT_OK(CheckParents(child, *batch.table(child.kind), info, "id", known));
    }
  }
  return Status::OK();
}

/// Checks that every resource or scope with attributes is one that a root row refers to.
Status CheckGroup(const Batch& batch, std::string_view name, TableKind attributes) {
  const auto& table = batch.table(attributes);
  if (table == nullptr) {
    return Status::OK();
  }
  const TableInfo& root_info = GetTable(RootTable(batch.signal()));
  const std::string path = std::string(name) + ".id";
  const auto group =
      batch.root() == nullptr ? nullptr : batch.root()->GetColumnByName(std::string(name));
  const auto ids = group == nullptr
                       ? nullptr
                       : checked_cast<const arrow::StructArray&>(*group).GetFieldByName("id");
  IdSet known(0, 0);
  if (ids != nullptr) {
    ARROW_ASSIGN_OR_RAISE(known, CollectIds(root_info, path, *ids, false));
  }
  return CheckParents(GetTable(attributes), *table, root_info, path, known);
}

}  // namespace

arrow::Status ValidateTable(TableKind kind, const arrow::RecordBatch& table) {
  const TableInfo& info = GetTable(kind);
  // First, because nothing may be read out of arrays whose offsets or indices are wrong.
  if (const Status buffers = table.ValidateFull(); !buffers.ok()) {
    return Status::Invalid(fmt::format("table {}: {}", info.directory, buffers.message()));
  }
  return CheckLevel({info, "", info.columns, table.schema()->fields(), table.columns()});
}

arrow::Status Validate(const Batch& batch) {
  if (batch.id_encoding() != IdEncoding::kPlain) {
    return Status::Invalid("found a batch with transport ids, expected plain ids");
  }
  for (const TableInfo& info : AllTables()) {
    const auto& table = batch.table(info.kind);
    if (table == nullptr) {
      continue;
    }
    if (table->num_rows() == 0) {
      return Status::Invalid(
          fmt::format("table {}: found no rows, expected no table", info.directory));
    }
    ARROW_RETURN_NOT_OK(ValidateTable(info.kind, *table));
  }
  if (batch.num_root_rows() > kMaxRootRows) {
    return Status::Invalid(fmt::format("table {}: found {} rows, expected at most {}",
                                       GetTable(RootTable(batch.signal())).directory,
                                       batch.num_root_rows(), kMaxRootRows));
  }
  for (const TableInfo& info : AllTables()) {
    if (info.id_bits != 0 && info.has_signal(batch.signal())) {
      ARROW_RETURN_NOT_OK(CheckChildren(batch, info));
    }
  }
  ARROW_RETURN_NOT_OK(CheckGroup(batch, "resource", TableKind::kResourceAttrs));
  return CheckGroup(batch, "scope", TableKind::kScopeAttrs);
}

}  // namespace df::otap
