// Where the fields of a message stand in the tables of the model: what encoder and decoder share.
// That a line of messages.h and its column fit each other is checked when the program is built.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include "otap/schema_tables.h"
#include "otlp/schema/messages.h"

namespace df::otlp {

/// The columns of a table.
template <otap::TableKind kKind>
struct TableColumns {
  static constexpr otap::TableKind kTable = kKind;
  static constexpr std::span<const otap::Column> kColumns = otap::registry::Table(kKind).columns;
  static constexpr bool kIsStruct = false;
};

/// The children of a struct, or the items of a list of structs.
template <typename Outer, size_t kPosition>
struct StructColumns {
  static constexpr otap::TableKind kTable = Outer::kTable;
  static constexpr std::span<const otap::Column> kColumns =
      Outer::kColumns[kPosition].type == otap::ColumnType::kListQuantile
          ? std::span<const otap::Column>(otap::registry::kQuantileColumns)
          : Outer::kColumns[kPosition].children;
  static constexpr bool kIsStruct = true;
};

/// Returns the number of columns if no column has the name.
constexpr size_t ColumnPosition(std::span<const otap::Column> columns, std::string_view name) {
  size_t position = 0;
  while (position < columns.size() && columns[position].name != name) {
    ++position;
  }
  return position;
}

/// Returns the table of the attributes that belong to the rows of a table.
constexpr otap::TableKind AttributesOf(otap::TableKind owner) {
  for (const otap::TableInfo& table : otap::registry::kTables) {
    if (table.is_attributes && table.parent == owner) {
      return table.kind;
    }
  }
  return owner;
}

/// How a field stands in the model.
enum class Form : uint8_t {
  kNone,  ///< in no column: code that knows the message reads and writes it
  kNumber,
  kText,
  kId,
  kEnd,         ///< of a span, which the model has as its duration
  kNumbers,     ///< a list
  kStruct,      ///< one message
  kStructs,     ///< a list of messages
  kValue,       ///< an AnyValue, as a struct
  kAttributes,  ///< rows of an attribute table
  kRows,        ///< rows of another table
};

constexpr Form FormOf(const FieldShape& field, bool has_column) {
  const bool is_repeated = field.presence == Presence::kRepeated;
  if (field.is_attributes) {
    return Form::kAttributes;
  }
  if (field.rows.has_value()) {
    return Form::kRows;
  }
  if (!has_column) {
    return Form::kNone;
  }
  switch (field.kind) {
    case WireKind::kMessage:
      return field.is_value ? Form::kValue : is_repeated ? Form::kStructs : Form::kStruct;
    case WireKind::kString:
      return Form::kText;
    case WireKind::kBytes:
      return Form::kId;
    default:
      return field.is_end ? Form::kEnd : is_repeated ? Form::kNumbers : Form::kNumber;
  }
}

/// Tells whether a column can hold what a field says.
constexpr bool Fits(const FieldShape& field, Form form, otap::ColumnType type) {
  using enum otap::ColumnType;
  switch (form) {
    case Form::kNone:
    case Form::kAttributes:
    case Form::kRows:
      return true;
    case Form::kText:
      return type == kUtf8;
    case Form::kId:
      return type == kFixedBinary8 || type == kFixedBinary16;
    case Form::kEnd:
      return type == kDuration;
    case Form::kStruct:
    case Form::kValue:
      return type == kStruct;
    case Form::kStructs:
      return type == kListQuantile;
    case Form::kNumbers:
      return type == (field.kind == WireKind::kDouble ? kListFloat64 : kListUInt64);
    case Form::kNumber:
      break;
  }
  switch (field.kind) {
    case WireKind::kUInt:
    case WireKind::kFixed32:
      return type == kUInt32;
    case WireKind::kInt:
    case WireKind::kSInt:
      return type == kInt32;
    case WireKind::kBool:
      return type == kBool;
    case WireKind::kFixed64:
      return type == kUInt64 || type == kTimestamp;
    case WireKind::kSFixed64:
      return type == kInt64;
    case WireKind::kDouble:
      return type == kFloat64;
    default:
      return false;
  }
}

/// One field of a message whose columns are those of `Place`.
template <typename PlaceType, const MessageShape& kMessage, size_t kFieldIndex>
struct FieldIn {
  using Place = PlaceType;
  static constexpr size_t kIndex = kFieldIndex;
  static constexpr const FieldShape& kShape = kMessage.fields[kIndex];
  static constexpr Field kField = kShape.field();
  static constexpr size_t kPosition = ColumnPosition(Place::kColumns, kShape.column);
  static constexpr bool kHasColumn = kPosition < Place::kColumns.size();
  static constexpr otap::Column kColumn =
      kHasColumn ? Place::kColumns[kPosition] : otap::Column{"", otap::ColumnType::kStruct};
  static constexpr Form kForm = FormOf(kShape, kHasColumn);
  static_assert(Fits(kShape, kForm, kColumn.type),
                "the column has another type than its field in messages.h");

  /// The field in front of this one.
  using Before = FieldIn<PlaceType, kMessage, kFieldIndex == 0 ? 0 : kFieldIndex - 1>;
};

/// The type of the numbers in a column, or in the lists of one.
template <otap::ColumnType kType>
constexpr auto NumberOfColumn() {
  using enum otap::ColumnType;
  if constexpr (kType == kUInt16) {
    return uint16_t{};
  } else if constexpr (kType == kUInt32) {
    return uint32_t{};
  } else if constexpr (kType == kUInt64 || kType == kListUInt64) {
    return uint64_t{};
  } else if constexpr (kType == kInt32) {
    return int32_t{};
  } else if constexpr (kType == kFloat64 || kType == kListFloat64) {
    return double{};
  } else if constexpr (kType == kBool) {
    return bool{};
  } else {
    return int64_t{};  // times and durations too
  }
}
template <otap::ColumnType kType>
using NumberOf = decltype(NumberOfColumn<kType>());

/// The type of the ids of a table.
template <otap::TableKind kTable>
using IdOf = std::conditional_t<otap::registry::Table(kTable).id_bits == 16, uint16_t, uint32_t>;

}  // namespace df::otlp
