// The columns of the 27 tables, readable at compile time. All else reads them through schema.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "otap/schema.h"

namespace df::otap::registry {

using enum ColumnType;
using Rule = DictionaryRule;

inline constexpr bool kRequired = true;
inline constexpr bool kOptional = false;

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

inline constexpr std::array kResourceColumns = {
    Column{"id", kUInt16, Rule::kNone, kOptional, ColumnRole::kId},
    Column{"schema_url", kUtf8, Rule::kAny},
    Column{"dropped_attributes_count", kUInt32},
};
inline constexpr std::array kScopeColumns = {
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

inline constexpr std::array kBodyColumns = {
    Column{"type", kUInt8, Rule::kNone, kRequired},
    Column{"str", kUtf8, Rule::kWide},
    Column{"int", kInt64, Rule::kWide},
    Column{"double", kFloat64},
    Column{"bool", kBool},
    Column{"bytes", kBinary, Rule::kWide},
    Column{"ser", kBinary, Rule::kWide},
};

inline constexpr std::array kLogColumns = {
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

inline constexpr std::array kStatusColumns = {
    Column{"code", kInt32, Rule::kAny},
    Column{"status_message", kUtf8, Rule::kAny},
};

inline constexpr std::array kSpanColumns = {
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

inline constexpr std::array kSpanEventColumns = {
    Id32(),
    Parent16(),
    Column{"time_unix_nano", kTimestamp},
    Column{"name", kUtf8, Rule::kAny, kRequired},
    Column{"dropped_attributes_count", kUInt32},
};

inline constexpr std::array kSpanLinkColumns = {
    Id32(),
    Parent16(),
    Column{"trace_id", kFixedBinary16, Rule::kAny, kRequired},
    Column{"span_id", kFixedBinary8, Rule::kAny, kRequired},
    Column{"trace_state", kUtf8, Rule::kAny},
    Column{"dropped_attributes_count", kUInt32},
    Column{"flags", kUInt32},
};

inline constexpr std::array kMetricColumns = {
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

inline constexpr std::array kNumberPointColumns = {
    Id32(),
    Parent16(),
    Column{"start_time_unix_nano", kTimestamp},
    Column{"time_unix_nano", kTimestamp},
    Column{"int_value", kInt64},
    Column{"double_value", kFloat64},
    Column{"flags", kUInt32},
};

/// Of each item of a kListQuantile.
inline constexpr std::array kQuantileColumns = {
    Column{"quantile", kFloat64},
    Column{"value", kFloat64},
};

inline constexpr std::array kSummaryPointColumns = {
    Id32(),
    Parent16(),
    Column{"start_time_unix_nano", kTimestamp},
    Column{"time_unix_nano", kTimestamp},
    Column{"count", kUInt64},
    Column{"sum", kFloat64},
    Column{"quantile", kListQuantile},
    Column{"flags", kUInt32},
};

inline constexpr std::array kHistogramPointColumns = {
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

inline constexpr std::array kBucketColumns = {
    Column{"offset", kInt32},
    Column{"bucket_counts", kListUInt64},
};

inline constexpr std::array kExpHistogramPointColumns = {
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

inline constexpr std::array kExemplarColumns = {
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
inline constexpr std::array kAttribute16Columns = AttributeColumns(Parent16());
inline constexpr std::array kAttribute32Columns = AttributeColumns(Parent32());

inline constexpr uint8_t kLogsBit = 1 << static_cast<int>(Signal::kLogs);
inline constexpr uint8_t kTracesBit = 1 << static_cast<int>(Signal::kTraces);
inline constexpr uint8_t kMetricsBit = 1 << static_cast<int>(Signal::kMetrics);
inline constexpr uint8_t kAnyBit = kLogsBit | kTracesBit | kMetricsBit;

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

inline constexpr std::array<TableInfo, kTableCount> kTables = {{
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

inline constexpr size_t kPayloadNumberCount = 46;

inline constexpr auto kIndexByNumber = [] {
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

/// Returns the description of a table.
constexpr const TableInfo& Table(TableKind kind) {
  return kTables[static_cast<size_t>(kIndexByNumber[static_cast<size_t>(kind)])];
}

}  // namespace df::otap::registry
