#include "otap/schema.h"

#include <cstdlib>
#include <string>

#include <arrow/type.h>

namespace df::otap {
namespace {

using enum ColumnType;
using Rule = DictionaryRule;

constexpr bool kRequired = true;
constexpr bool kOptional = false;

constexpr Column Id16(bool required = false) {
  return {"id", kUInt16, Rule::kNone, required, ColumnRole::kId};
}
constexpr Column Id32() { return {"id", kUInt32, Rule::kNone, kOptional, ColumnRole::kId}; }
constexpr Column Parent16() {
  return {"parent_id", kUInt16, Rule::kNone, kRequired, ColumnRole::kParentId};
}
constexpr Column Parent32() {
  return {"parent_id", kUInt32, Rule::kAny, kRequired, ColumnRole::kParentId};
}

constexpr std::array kResourceColumns = {
    Column{"id", kUInt16, Rule::kNone, kOptional, ColumnRole::kId},
    Column{"schema_url", kUtf8, Rule::kAny},
    Column{"dropped_attributes_count", kUInt32},
};
constexpr std::array kScopeColumns = {
    Column{"id", kUInt16, Rule::kNone, kOptional, ColumnRole::kId},
    Column{"name", kUtf8, Rule::kAny},
    Column{"version", kUtf8, Rule::kAny},
    Column{"dropped_attributes_count", kUInt32},
};
constexpr Column Resource() {
  return {"resource", kStruct, Rule::kNone, kOptional, ColumnRole::kData, kResourceColumns};
}
constexpr Column Scope() {
  return {"scope", kStruct, Rule::kNone, kOptional, ColumnRole::kData, kScopeColumns};
}

constexpr std::array kBodyColumns = {
    Column{"type", kUInt8, Rule::kNone, kRequired},
    Column{"str", kUtf8, Rule::kWide},
    Column{"int", kInt64, Rule::kWide},
    Column{"double", kFloat64},
    Column{"bool", kBool},
    Column{"bytes", kBinary, Rule::kWide},
    Column{"ser", kBinary, Rule::kWide},
};

constexpr std::array kLogColumns = {
    Id16(),
    Resource(),
    Scope(),
    Column{"schema_url", kUtf8, Rule::kAny},
    Column{"time_unix_nano", kTimestamp},
    Column{"observed_time_unix_nano", kTimestamp},
    Column{"trace_id", kFixedBinary16, Rule::kAny},
    Column{"span_id", kFixedBinary8, Rule::kAny},
    Column{"severity_number", kInt32, Rule::kAny},
    Column{"severity_text", kUtf8, Rule::kAny},
    Column{"body", kStruct, Rule::kNone, kOptional, ColumnRole::kData, kBodyColumns},
    Column{"dropped_attributes_count", kUInt32},
    Column{"event_name", kUtf8, Rule::kAny},
    Column{"flags", kUInt32},
};

constexpr std::array kStatusColumns = {
    Column{"code", kInt32, Rule::kAny},
    Column{"status_message", kUtf8, Rule::kAny},
};

constexpr std::array kSpanColumns = {
    Id16(),
    Resource(),
    Scope(),
    Column{"schema_url", kUtf8, Rule::kAny},
    Column{"start_time_unix_nano", kTimestamp, Rule::kNone, kRequired},
    Column{"duration_time_unix_nano", kDuration, Rule::kAny, kRequired},
    Column{"trace_id", kFixedBinary16, Rule::kAny, kRequired},
    Column{"span_id", kFixedBinary8, Rule::kAny, kRequired},
    Column{"trace_state", kUtf8, Rule::kAny},
    Column{"parent_span_id", kFixedBinary8},
    Column{"name", kUtf8, Rule::kAny, kRequired},
    Column{"kind", kInt32, Rule::kAny},
    Column{"dropped_attributes_count", kUInt32},
    Column{"dropped_events_count", kUInt32},
    Column{"dropped_links_count", kUInt32},
    Column{"status", kStruct, Rule::kNone, kOptional, ColumnRole::kData, kStatusColumns},
    Column{"flags", kUInt32},
};

constexpr std::array kSpanEventColumns = {
    Id32(),
    Parent16(),
    Column{"time_unix_nano", kTimestamp},
    Column{"name", kUtf8, Rule::kAny, kRequired},
    Column{"dropped_attributes_count", kUInt32},
};

constexpr std::array kSpanLinkColumns = {
    Id32(),
    Parent16(),
    Column{"trace_id", kFixedBinary16, Rule::kAny, kRequired},
    Column{"span_id", kFixedBinary8, Rule::kAny, kRequired},
    Column{"trace_state", kUtf8, Rule::kAny},
    Column{"dropped_attributes_count", kUInt32},
    Column{"flags", kUInt32},
};

constexpr std::array kMetricColumns = {
    Id16(kRequired),
    Resource(),
    Scope(),
    Column{"schema_url", kUtf8, Rule::kAny},
    Column{"metric_type", kUInt8, Rule::kNone, kRequired},
    Column{"name", kUtf8, Rule::kAny, kRequired},
    Column{"description", kUtf8, Rule::kAny},
    Column{"unit", kUtf8, Rule::kAny},
    Column{"aggregation_temporality", kInt32, Rule::kAny},
    Column{"is_monotonic", kBool},
};

constexpr std::array kNumberPointColumns = {
    Id32(),
    Parent16(),
    Column{"start_time_unix_nano", kTimestamp},
    Column{"time_unix_nano", kTimestamp},
    Column{"int_value", kInt64},
    Column{"double_value", kFloat64},
    Column{"flags", kUInt32},
};

constexpr std::array kSummaryPointColumns = {
    Id32(),
    Parent16(),
    Column{"start_time_unix_nano", kTimestamp},
    Column{"time_unix_nano", kTimestamp},
    Column{"count", kUInt64},
    Column{"sum", kFloat64},
    Column{"quantile", kListQuantile},
    Column{"flags", kUInt32},
};

constexpr std::array kHistogramPointColumns = {
    Id32(),
    Parent16(),
    Column{"start_time_unix_nano", kTimestamp},
    Column{"time_unix_nano", kTimestamp},
    Column{"count", kUInt64},
    Column{"sum", kFloat64},
    Column{"bucket_counts", kListUInt64},
    Column{"explicit_bounds", kListFloat64},
    Column{"flags", kUInt32},
    Column{"min", kFloat64},
    Column{"max", kFloat64},
};

constexpr std::array kBucketColumns = {
    Column{"offset", kInt32},
    Column{"bucket_counts", kListUInt64},
};

constexpr std::array kExpHistogramPointColumns = {
    Id32(),
    Parent16(),
    Column{"start_time_unix_nano", kTimestamp},
    Column{"time_unix_nano", kTimestamp},
    Column{"count", kUInt64},
    Column{"sum", kFloat64},
    Column{"scale", kInt32},
    Column{"zero_count", kUInt64},
    Column{"positive", kStruct, Rule::kNone, kOptional, ColumnRole::kData, kBucketColumns},
    Column{"negative", kStruct, Rule::kNone, kOptional, ColumnRole::kData, kBucketColumns},
    Column{"flags", kUInt32},
    Column{"min", kFloat64},
    Column{"max", kFloat64},
    Column{"zero_threshold", kFloat64},
};

constexpr std::array kExemplarColumns = {
    Id32(),
    Parent32(),
    Column{"time_unix_nano", kTimestamp, Rule::kNone, kRequired},
    Column{"int_value", kInt64, Rule::kAny},
    Column{"double_value", kFloat64},
    Column{"span_id", kFixedBinary8, Rule::kAny},
    Column{"trace_id", kFixedBinary16, Rule::kAny},
};

constexpr std::array<Column, 9> AttributeColumns(Column parent) {
  return {parent,
          Column{"key", kUtf8, Rule::kAny, kRequired},
          Column{"type", kUInt8, Rule::kNone, kRequired},
          Column{"str", kUtf8, Rule::kWide},
          Column{"int", kInt64, Rule::kWide},
          Column{"double", kFloat64},
          Column{"bool", kBool},
          Column{"bytes", kBinary, Rule::kWide},
          Column{"ser", kBinary, Rule::kWide}};
}
constexpr std::array kAttribute16Columns = AttributeColumns(Parent16());
constexpr std::array kAttribute32Columns = AttributeColumns(Parent32());

constexpr uint8_t kLogsBit = 1 << static_cast<int>(Signal::kLogs);
constexpr uint8_t kTracesBit = 1 << static_cast<int>(Signal::kTraces);
constexpr uint8_t kMetricsBit = 1 << static_cast<int>(Signal::kMetrics);
constexpr uint8_t kAnyBit = kLogsBit | kTracesBit | kMetricsBit;

constexpr TableInfo Root(TableKind kind, std::string_view directory, uint8_t signal,
                         std::span<const Column> columns) {
  return {kind, directory, signal, std::nullopt, 16, 0, ParentEncoding::kNone, {}, false, columns};
}
constexpr TableInfo Points(TableKind kind, std::string_view directory,
                           std::span<const Column> columns) {
  return {
      kind, directory, kMetricsBit, TableKind::kUnivariateMetrics, 32, 16, ParentEncoding::kDelta,
      {},   false,     columns};
}
constexpr TableInfo Exemplars(TableKind kind, std::string_view directory, TableKind parent) {
  return {kind,
          directory,
          kMetricsBit,
          parent,
          32,
          32,
          ParentEncoding::kQuasiDelta,
          {"int_value", "double_value"},
          false,
          kExemplarColumns};
}
constexpr TableInfo Attributes16(TableKind kind, std::string_view directory, uint8_t signals,
                                 std::optional<TableKind> parent) {
  return {
      kind, directory,          signals, parent, 0, 16, ParentEncoding::kQuasiDeltaAttribute, {},
      true, kAttribute16Columns};
}
constexpr TableInfo Attributes32(TableKind kind, std::string_view directory, uint8_t signals,
                                 TableKind parent) {
  return {
      kind, directory,          signals, parent, 0, 32, ParentEncoding::kQuasiDeltaAttribute, {},
      true, kAttribute32Columns};
}

using enum TableKind;

constexpr std::array<TableInfo, kTableCount> kTables = {{
    Attributes16(kResourceAttrs, "resource_attrs", kAnyBit, std::nullopt),
    Attributes16(kScopeAttrs, "scope_attrs", kAnyBit, std::nullopt),

    Root(kLogs, "logs", kLogsBit, kLogColumns),
    Attributes16(kLogAttrs, "log_attrs", kLogsBit, kLogs),

    Root(kSpans, "spans", kTracesBit, kSpanColumns),
    Attributes16(kSpanAttrs, "span_attrs", kTracesBit, kSpans),
    TableInfo{kSpanEvents,
              "span_events",
              kTracesBit,
              kSpans,
              32,
              16,
              ParentEncoding::kQuasiDelta,
              {"name", ""},
              false,
              kSpanEventColumns},
    TableInfo{kSpanLinks,
              "span_links",
              kTracesBit,
              kSpans,
              32,
              16,
              ParentEncoding::kQuasiDelta,
              {"trace_id", ""},
              false,
              kSpanLinkColumns},
    Attributes32(kSpanEventAttrs, "span_event_attrs", kTracesBit, kSpanEvents),
    Attributes32(kSpanLinkAttrs, "span_link_attrs", kTracesBit, kSpanLinks),

    Root(kUnivariateMetrics, "univariate_metrics", kMetricsBit, kMetricColumns),
    Points(kNumberDataPoints, "number_data_points", kNumberPointColumns),
    Points(kSummaryDataPoints, "summary_data_points", kSummaryPointColumns),
    Points(kHistogramDataPoints, "histogram_data_points", kHistogramPointColumns),
    Points(kExpHistogramDataPoints, "exp_histogram_data_points", kExpHistogramPointColumns),
    Attributes32(kNumberDpAttrs, "number_dp_attrs", kMetricsBit, kNumberDataPoints),
    Attributes32(kSummaryDpAttrs, "summary_dp_attrs", kMetricsBit, kSummaryDataPoints),
    Attributes32(kHistogramDpAttrs, "histogram_dp_attrs", kMetricsBit, kHistogramDataPoints),
    Attributes32(kExpHistogramDpAttrs, "exp_histogram_dp_attrs", kMetricsBit,
                 kExpHistogramDataPoints),
    Exemplars(kNumberDpExemplars, "number_dp_exemplars", kNumberDataPoints),
    Exemplars(kHistogramDpExemplars, "histogram_dp_exemplars", kHistogramDataPoints),
    Exemplars(kExpHistogramDpExemplars, "exp_histogram_dp_exemplars", kExpHistogramDataPoints),
    Attributes32(kNumberDpExemplarAttrs, "number_dp_exemplar_attrs", kMetricsBit,
                 kNumberDpExemplars),
    Attributes32(kHistogramDpExemplarAttrs, "histogram_dp_exemplar_attrs", kMetricsBit,
                 kHistogramDpExemplars),
    Attributes32(kExpHistogramDpExemplarAttrs, "exp_histogram_dp_exemplar_attrs", kMetricsBit,
                 kExpHistogramDpExemplars),
    // Reserved by the model with an empty schema: nothing writes it and any column in it is an
    // error.
    TableInfo{kMultivariateMetrics,
              "multivariate_metrics",
              kMetricsBit,
              std::nullopt,
              0,
              0,
              ParentEncoding::kNone,
              {},
              false,
              {}},
    Attributes16(kMetricAttrs, "metric_attrs", kMetricsBit, kUnivariateMetrics),
}};

constexpr size_t kPayloadNumberCount = 46;

constexpr auto kIndexByNumber = [] {
  std::array<int8_t, kPayloadNumberCount> index{};
  index.fill(-1);
  for (size_t i = 0; i < kTables.size(); ++i) {
    index[static_cast<size_t>(kTables[i].kind)] = static_cast<int8_t>(i);
  }
  return index;
}();

/// Every table stands behind its parent, so one pass in registry order visits parents first.
constexpr bool ParentsComeFirst() {
  for (size_t i = 0; i < kTables.size(); ++i) {
    if (kTables[i].parent.has_value() &&
        kIndexByNumber[static_cast<size_t>(*kTables[i].parent)] >= static_cast<int8_t>(i)) {
      return false;
    }
  }
  return true;
}
static_assert(ParentsComeFirst());

}  // namespace

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
