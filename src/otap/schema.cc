#include "otap/schema.h"

#include <cstdlib>
#include <string>

#include <arrow/type.h>

#include "otap/schema_tables.h"

namespace df::otap {

using enum ColumnType;
using enum TableKind;
using registry::kIndexByNumber;
using registry::kPayloadNumberCount;
using registry::kTables;

std::string_view Name(Signal signal) {
  switch (signal) {
    case Signal::kLogs:
      return "logs";
    case Signal::kTraces:
      return "traces";
    case Signal::kMetrics:
      return "metrics";
  }
  std::abort();
}

std::optional<Signal> FindSignal(std::string_view name) {
  for (const Signal signal : kAllSignals) {
    if (Name(signal) == name) {
      return signal;
    }
  }
  return std::nullopt;
}

std::span<const TableInfo, kTableCount> AllTables() { return kTables; }

size_t TableIndex(TableKind kind) {
  return static_cast<size_t>(kIndexByNumber[static_cast<size_t>(kind)]);
}

const TableInfo& GetTable(TableKind kind) { return kTables[TableIndex(kind)]; }

const TableInfo* FindTable(std::string_view directory) {
  for (const TableInfo& table : kTables) {
    if (table.directory == directory) {
      return &table;
    }
  }
  return nullptr;
}

const TableInfo* FindTable(int payload_number) {
  if (payload_number < 0 || payload_number >= static_cast<int>(kPayloadNumberCount) ||
      kIndexByNumber[static_cast<size_t>(payload_number)] < 0) {
    return nullptr;
  }
  return &kTables[static_cast<size_t>(kIndexByNumber[static_cast<size_t>(payload_number)])];
}

TableKind RootTable(Signal signal) {
  switch (signal) {
    case Signal::kLogs:
      return kLogs;
    case Signal::kTraces:
      return kSpans;
    case Signal::kMetrics:
      return kUnivariateMetrics;
  }
  std::abort();
}

const Column* FindColumn(std::span<const Column> columns, std::string_view name) {
  for (const Column& column : columns) {
    if (column.name == name) {
      return &column;
    }
  }
  return nullptr;
}

std::shared_ptr<arrow::DataType> NativeType(const Column& column) {
  switch (column.type) {
    case kUInt8:
      return arrow::uint8();
    case kUInt16:
      return arrow::uint16();
    case kUInt32:
      return arrow::uint32();
    case kUInt64:
      return arrow::uint64();
    case kInt32:
      return arrow::int32();
    case kInt64:
      return arrow::int64();
    case kFloat64:
      return arrow::float64();
    case kBool:
      return arrow::boolean();
    case kUtf8:
      return arrow::utf8();
    case kBinary:
      return arrow::binary();
    case kFixedBinary8:
      return arrow::fixed_size_binary(8);
    case kFixedBinary16:
      return arrow::fixed_size_binary(16);
    case kTimestamp:
      return arrow::timestamp(arrow::TimeUnit::NANO);
    case kDuration:
      return arrow::duration(arrow::TimeUnit::NANO);
    case kListUInt64:
      return arrow::list(arrow::field("item", arrow::uint64()));
    case kListFloat64:
      return arrow::list(arrow::field("item", arrow::float64()));
    case kListQuantile:
      return arrow::list(
          arrow::field("item", arrow::struct_({arrow::field("quantile", arrow::float64()),
                                               arrow::field("value", arrow::float64())})));
    case kStruct: {
      arrow::FieldVector fields;
      for (const Column& child : column.children) {
        fields.push_back(arrow::field(std::string(child.name), NativeType(child)));
      }
      return arrow::struct_(std::move(fields));
    }
  }
  std::abort();
}

}  // namespace df::otap
