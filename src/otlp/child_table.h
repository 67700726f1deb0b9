// Tables whose rows belong to rows of another table.
#pragma once

#include <cstdint>

#include "otap/batch.h"
#include "otlp/child_index.h"
#include "otlp/column.h"
#include "otlp/encode.h"

namespace df::otlp {

/// What a walk over a batch needs everywhere. Owner: borrows all of it.
struct WalkContext {
  const otap::Batch& batch;
  arrow::Status* status;  ///< the first column of a wrong type
  EncodeStats* stats;

  ColumnSource Source(otap::TableKind kind) const {
    return {kind, batch.table(kind).get(), status};
  }
};

/// Binds columns that every signal's walk has in common; one for each table.
struct ChildTable {
  ColumnSource source;
  ChildIndex rows;

  ChildTable(const WalkContext& context, otap::TableKind kind);
};

/// The seven columns of an AnyValue: of an attribute table, or of a log body.
struct ValueColumns {
  NumberColumn<uint8_t> type;
  BytesColumn text;
  NumberColumn<int64_t> integer;
  NumberColumn<double> real;
  BoolColumn boolean;
  BytesColumn bytes;
  BytesColumn cbor;

  explicit ValueColumns(const ColumnSource& source);
};

/// How many messages an AnyValue of an attribute table is inside of, itself
/// included: that of a log's attribute is the fifth below the request.
constexpr int ValueLevelOf(otap::TableKind kind) {
  switch (kind) {
    case otap::TableKind::kResourceAttrs:
      return 4;
    case otap::TableKind::kSpanEventAttrs:
    case otap::TableKind::kSpanLinkAttrs:
      return 6;
    case otap::TableKind::kNumberDpAttrs:
    case otap::TableKind::kSummaryDpAttrs:
    case otap::TableKind::kHistogramDpAttrs:
    case otap::TableKind::kExpHistogramDpAttrs:
      return 7;
    case otap::TableKind::kNumberDpExemplarAttrs:
    case otap::TableKind::kHistogramDpExemplarAttrs:
    case otap::TableKind::kExpHistogramDpExemplarAttrs:
      return 8;
    default:
      return 5;
  }
}
inline constexpr int kBodyLevel = 4;

/// One of the attribute tables.
struct AttributeTable {
  ChildIndex rows;
  BytesColumn key;
  ValueColumns values;
  int value_level;

  AttributeTable(const WalkContext& context, otap::TableKind kind)
      : AttributeTable(ChildTable(context, kind), ValueLevelOf(kind)) {}

 private:
  AttributeTable(ChildTable table, int level);
};

/// Values of `type` (format reference 2.13).
enum class ValueType : uint8_t {
  kEmpty = 0,
  kText = 1,
  kInteger = 2,
  kDouble = 3,
  kBool = 4,
  kMap = 5,
  kArray = 6,
  kBytes = 7,
};

}  // namespace df::otlp
