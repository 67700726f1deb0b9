// The OTLP messages: the one place that says which fields they have, and which column of the model
// holds each. Numbers, names, what a reader may meet, how requests are decoded and encoded, and
// what a comparison looks at come from here. Source: opentelemetry-proto 1.x, format reference 6.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "otlp/schema/message_shape.h"

namespace df::otlp {

namespace line {

using enum Presence;

constexpr FieldShape UInt(uint32_t number, std::string_view name, Presence presence = kImplicit) {
  return {number, name, WireKind::kUInt, presence};
}
constexpr FieldShape Int(uint32_t number, std::string_view name, Presence presence = kImplicit) {
  return {number, name, WireKind::kInt, presence};
}
constexpr FieldShape Enum(uint32_t number, std::string_view name, std::span<const EnumName> names) {
  FieldShape field = {number, name, WireKind::kInt};
  field.names = names;
  return field;
}
constexpr FieldShape SInt(uint32_t number, std::string_view name) {
  return {number, name, WireKind::kSInt};
}
constexpr FieldShape Bool(uint32_t number, std::string_view name, Presence presence = kImplicit) {
  return {number, name, WireKind::kBool, presence};
}
constexpr FieldShape Fixed32(uint32_t number, std::string_view name) {
  return {number, name, WireKind::kFixed32};
}
/// A count, or a time where the column holds times.
constexpr FieldShape Fixed64(uint32_t number, std::string_view name,
                             Presence presence = kImplicit) {
  return {number, name, WireKind::kFixed64, presence};
}
/// The end of the time that the field before it begins.
constexpr FieldShape End(uint32_t number, std::string_view name, std::string_view duration) {
  FieldShape field = {number, name, WireKind::kFixed64};
  field.column = duration;
  field.is_end = true;
  return field;
}
constexpr FieldShape SFixed64(uint32_t number, std::string_view name, Presence presence) {
  return {number, name, WireKind::kSFixed64, presence};
}
constexpr FieldShape Double(uint32_t number, std::string_view name, Presence presence = kImplicit) {
  return {number, name, WireKind::kDouble, presence};
}
constexpr FieldShape Text(uint32_t number, std::string_view name, Presence presence = kImplicit) {
  return {number, name, WireKind::kString, presence};
}
constexpr FieldShape Id(uint32_t number, std::string_view name) {
  FieldShape field = {number, name, WireKind::kBytes};
  field.is_id = true;
  return field;
}
constexpr FieldShape Message(uint32_t number, std::string_view name, const MessageShape& shape,
                             Expect expect = Expect::kTiny, Presence presence = kImplicit) {
  FieldShape field = {number, name, WireKind::kMessage, presence};
  field.message = &shape;
  field.expect = expect;
  return field;
}
constexpr FieldShape Messages(uint32_t number, std::string_view name, const MessageShape& shape,
                              Expect expect = Expect::kTiny) {
  return Message(number, name, shape, expect, kRepeated);
}
/// Messages that are rows of a table of their own.
constexpr FieldShape Rows(uint32_t number, std::string_view name, const MessageShape& shape,
                          otap::TableKind table) {
  FieldShape field = Messages(number, name, shape);
  field.rows = table;
  return field;
}
constexpr FieldShape Choice(uint32_t number, std::string_view name, const MessageShape& shape) {
  return Message(number, name, shape, Expect::kSmall, kOneof);
}

}  // namespace line

extern const MessageShape kAnyValueShape;
extern const MessageShape kKeyValueShape;

inline constexpr std::array kArrayValueFields = {line::Messages(1, "values", kAnyValueShape)};
inline constexpr MessageShape kArrayValueShape = {"ArrayValue", kArrayValueFields};
inline constexpr std::array kKeyValueListFields = {line::Messages(1, "values", kKeyValueShape)};
inline constexpr MessageShape kKeyValueListShape = {"KeyValueList", kKeyValueListFields};
inline constexpr std::array kAnyValueFields = {
    line::Text(1, "string_value", Presence::kOneof),
    line::Bool(2, "bool_value", Presence::kOneof),
    line::Int(3, "int_value", Presence::kOneof),
    line::Double(4, "double_value", Presence::kOneof),
    line::Message(5, "array_value", kArrayValueShape, Expect::kTiny, Presence::kOneof),
    line::Message(6, "kvlist_value", kKeyValueListShape, Expect::kTiny, Presence::kOneof),
    FieldShape{7, "bytes_value", WireKind::kBytes, Presence::kOneof},
};
inline constexpr MessageShape kAnyValueShape = {"AnyValue", kAnyValueFields};
inline constexpr std::array kKeyValueFields = {
    line::Text(1, "key"),
    line::Message(2, "value", kAnyValueShape),
};
inline constexpr MessageShape kKeyValueShape = {"KeyValue", kKeyValueFields};

namespace value_fields {
inline constexpr Field kKey = kKeyValueShape.At("key");
inline constexpr Field kValue = kKeyValueShape.At("value");
inline constexpr Field kString = kAnyValueShape.At("string_value");
inline constexpr Field kBool = kAnyValueShape.At("bool_value");
inline constexpr Field kInt = kAnyValueShape.At("int_value");
inline constexpr Field kDouble = kAnyValueShape.At("double_value");
inline constexpr Field kArray = kAnyValueShape.At("array_value");
inline constexpr Field kMap = kAnyValueShape.At("kvlist_value");
inline constexpr Field kBytes = kAnyValueShape.At("bytes_value");
inline constexpr Field kValues = kArrayValueShape.At("values");  ///< of KeyValueList too
}  // namespace value_fields

namespace line {

/// The attributes of a message: the rows of the attribute table below its own.
constexpr FieldShape Attributes(uint32_t number, std::string_view name = "attributes") {
  FieldShape field = Messages(number, name, kKeyValueShape);
  field.is_attributes = true;
  return field;
}
constexpr FieldShape Value(uint32_t number, std::string_view name) {
  FieldShape field = Message(number, name, kAnyValueShape);
  field.is_value = true;
  return field;
}

}  // namespace line

inline constexpr std::array kResourceFields = {
    line::Attributes(1),
    line::UInt(2, "dropped_attributes_count"),
};
inline constexpr MessageShape kResourceShape = {"Resource", kResourceFields};
inline constexpr std::array kScopeFields = {
    line::Text(1, "name"),
    line::Text(2, "version"),
    line::Attributes(3),
    line::UInt(4, "dropped_attributes_count"),
};
inline constexpr MessageShape kScopeShape = {"InstrumentationScope", kScopeFields};

// ---- Logs

inline constexpr auto kSeverities =
    std::to_array<EnumName>({{"SEVERITY_NUMBER_UNSPECIFIED", 0}, {"SEVERITY_NUMBER_TRACE", 1},
                             {"SEVERITY_NUMBER_TRACE2", 2},      {"SEVERITY_NUMBER_TRACE3", 3},
                             {"SEVERITY_NUMBER_TRACE4", 4},      {"SEVERITY_NUMBER_DEBUG", 5},
                             {"SEVERITY_NUMBER_DEBUG2", 6},      {"SEVERITY_NUMBER_DEBUG3", 7},
                             {"SEVERITY_NUMBER_DEBUG4", 8},      {"SEVERITY_NUMBER_INFO", 9},
                             {"SEVERITY_NUMBER_INFO2", 10},      {"SEVERITY_NUMBER_INFO3", 11},
                             {"SEVERITY_NUMBER_INFO4", 12},      {"SEVERITY_NUMBER_WARN", 13},
                             {"SEVERITY_NUMBER_WARN2", 14},      {"SEVERITY_NUMBER_WARN3", 15},
                             {"SEVERITY_NUMBER_WARN4", 16},      {"SEVERITY_NUMBER_ERROR", 17},
                             {"SEVERITY_NUMBER_ERROR2", 18},     {"SEVERITY_NUMBER_ERROR3", 19},
                             {"SEVERITY_NUMBER_ERROR4", 20},     {"SEVERITY_NUMBER_FATAL", 21},
                             {"SEVERITY_NUMBER_FATAL2", 22},     {"SEVERITY_NUMBER_FATAL3", 23},
                             {"SEVERITY_NUMBER_FATAL4", 24}});

inline constexpr std::array kLogRecordFields = {
    line::Fixed64(1, "time_unix_nano"),
    line::Fixed64(11, "observed_time_unix_nano"),
    line::Enum(2, "severity_number", kSeverities),
    line::Text(3, "severity_text"),
    line::Text(12, "event_name"),
    line::Value(5, "body"),
    line::Attributes(6),
    line::UInt(7, "dropped_attributes_count"),
    line::Fixed32(8, "flags"),
    line::Id(9, "trace_id"),
    line::Id(10, "span_id"),
};
inline constexpr MessageShape kLogRecordShape = {"LogRecord", kLogRecordFields};

// ---- Traces

inline constexpr auto kSpanKinds = std::to_array<EnumName>({{"SPAN_KIND_UNSPECIFIED", 0},
                                                            {"SPAN_KIND_INTERNAL", 1},
                                                            {"SPAN_KIND_SERVER", 2},
                                                            {"SPAN_KIND_CLIENT", 3},
                                                            {"SPAN_KIND_PRODUCER", 4},
                                                            {"SPAN_KIND_CONSUMER", 5}});
inline constexpr auto kStatusCodes = std::to_array<EnumName>(
    {{"STATUS_CODE_UNSET", 0}, {"STATUS_CODE_OK", 1}, {"STATUS_CODE_ERROR", 2}});

inline constexpr std::array kEventFields = {
    line::Fixed64(1, "time_unix_nano"),
    line::Text(2, "name"),
    line::Attributes(3),
    line::UInt(4, "dropped_attributes_count"),
};
inline constexpr MessageShape kEventShape = {"Event", kEventFields};
inline constexpr std::array kLinkFields = {
    line::Id(1, "trace_id"),
    line::Id(2, "span_id"),
    line::Text(3, "trace_state"),
    line::Attributes(4),
    line::UInt(5, "dropped_attributes_count"),
    line::Fixed32(6, "flags").LostUpstream(),
};
inline constexpr MessageShape kLinkShape = {"Link", kLinkFields};
inline constexpr std::array kStatusFields = {
    line::Text(2, "message").In("status_message"),
    line::Enum(3, "code", kStatusCodes),
};
inline constexpr MessageShape kStatusShape = {"Status", kStatusFields};
inline constexpr std::array kSpanFields = {
    line::Id(1, "trace_id"),
    line::Id(2, "span_id"),
    line::Text(3, "trace_state"),
    line::Id(4, "parent_span_id"),
    line::Text(5, "name"),
    line::Enum(6, "kind", kSpanKinds),
    line::Fixed64(7, "start_time_unix_nano"),
    line::End(8, "end_time_unix_nano", "duration_time_unix_nano"),
    line::Attributes(9),
    line::UInt(10, "dropped_attributes_count"),
    line::Rows(11, "events", kEventShape, otap::TableKind::kSpanEvents),
    line::UInt(12, "dropped_events_count"),
    line::Rows(13, "links", kLinkShape, otap::TableKind::kSpanLinks),
    line::UInt(14, "dropped_links_count"),
    line::Message(15, "status", kStatusShape),
    line::Fixed32(16, "flags").LostUpstream(),
};
inline constexpr MessageShape kSpanShape = {"Span", kSpanFields};

// ---- Metrics

inline constexpr std::array kExemplarFields = {
    line::Fixed64(2, "time_unix_nano"),
    line::Double(3, "as_double", Presence::kOneof).In("double_value"),
    line::SFixed64(6, "as_int", Presence::kOneof).In("int_value"),
    line::Id(4, "span_id").ZerosAreNone(),
    line::Id(5, "trace_id").ZerosAreNone(),
    line::Attributes(7, "filtered_attributes"),
};
inline constexpr MessageShape kExemplarShape = {"Exemplar", kExemplarFields};

inline constexpr std::array kNumberPointFields = {
    line::Fixed64(2, "start_time_unix_nano"),
    line::Fixed64(3, "time_unix_nano"),
    line::Attributes(7),
    line::UInt(8, "flags"),
    line::Double(4, "as_double", Presence::kOneof).In("double_value"),
    line::SFixed64(6, "as_int", Presence::kOneof).In("int_value"),
    line::Rows(5, "exemplars", kExemplarShape, otap::TableKind::kNumberDpExemplars),
};
inline constexpr MessageShape kNumberPointShape = {"NumberDataPoint", kNumberPointFields};

inline constexpr std::array kHistogramPointFields = {
    line::Fixed64(2, "start_time_unix_nano"),
    line::Fixed64(3, "time_unix_nano"),
    line::Attributes(9),
    line::UInt(10, "flags"),
    line::Fixed64(4, "count"),
    line::Double(5, "sum", Presence::kExplicit),
    line::Fixed64(6, "bucket_counts", Presence::kRepeated),
    line::Double(7, "explicit_bounds", Presence::kRepeated),
    line::Rows(8, "exemplars", kExemplarShape, otap::TableKind::kHistogramDpExemplars),
    line::Double(11, "min", Presence::kExplicit),
    line::Double(12, "max", Presence::kExplicit),
};
inline constexpr MessageShape kHistogramPointShape = {"HistogramDataPoint", kHistogramPointFields};

inline constexpr std::array kBucketsFields = {
    line::SInt(1, "offset"),
    line::UInt(2, "bucket_counts", Presence::kRepeated),
};
inline constexpr MessageShape kBucketsShape = {"Buckets", kBucketsFields};
inline constexpr std::array kExpHistogramPointFields = {
    line::Fixed64(2, "start_time_unix_nano"),
    line::Fixed64(3, "time_unix_nano"),
    line::Attributes(1),
    line::UInt(10, "flags"),
    line::Fixed64(4, "count"),
    line::Double(5, "sum", Presence::kExplicit),
    line::SInt(6, "scale"),
    line::Fixed64(7, "zero_count"),
    line::Message(8, "positive", kBucketsShape),
    line::Message(9, "negative", kBucketsShape),
    line::Rows(11, "exemplars", kExemplarShape, otap::TableKind::kExpHistogramDpExemplars),
    line::Double(12, "min", Presence::kExplicit),
    line::Double(13, "max", Presence::kExplicit),
    line::Double(14, "zero_threshold").LostUpstream(),
};
inline constexpr MessageShape kExpHistogramPointShape = {"ExponentialHistogramDataPoint",
                                                         kExpHistogramPointFields};

inline constexpr std::array kQuantileFields = {
    line::Double(1, "quantile"),
    line::Double(2, "value"),
};
inline constexpr MessageShape kQuantileShape = {"ValueAtQuantile", kQuantileFields};
inline constexpr std::array kSummaryPointFields = {
    line::Fixed64(2, "start_time_unix_nano"),
    line::Fixed64(3, "time_unix_nano"),
    line::Attributes(7),
    line::UInt(8, "flags"),
    line::Fixed64(4, "count"),
    line::Double(5, "sum"),
    line::Messages(6, "quantile_values", kQuantileShape).In("quantile"),
};
inline constexpr MessageShape kSummaryPointShape = {"SummaryDataPoint", kSummaryPointFields};

inline constexpr auto kTemporalities =
    std::to_array<EnumName>({{"AGGREGATION_TEMPORALITY_UNSPECIFIED", 0},
                             {"AGGREGATION_TEMPORALITY_DELTA", 1},
                             {"AGGREGATION_TEMPORALITY_CUMULATIVE", 2}});

// The columns of the data of a metric are those of the metric.
inline constexpr FieldShape kTemporalityField =
    line::Enum(2, "aggregation_temporality", kTemporalities);
inline constexpr std::array kGaugeFields = {
    line::Rows(1, "data_points", kNumberPointShape, otap::TableKind::kNumberDataPoints),
};
inline constexpr MessageShape kGaugeShape = {"Gauge", kGaugeFields};
inline constexpr std::array kSumFields = {
    kTemporalityField,
    line::Bool(3, "is_monotonic").LostUpstream(),
    line::Rows(1, "data_points", kNumberPointShape, otap::TableKind::kNumberDataPoints),
};
inline constexpr MessageShape kSumShape = {"Sum", kSumFields};
inline constexpr std::array kHistogramFields = {
    kTemporalityField,
    line::Rows(1, "data_points", kHistogramPointShape, otap::TableKind::kHistogramDataPoints),
};
inline constexpr MessageShape kHistogramShape = {"Histogram", kHistogramFields};
inline constexpr std::array kExpHistogramFields = {
    kTemporalityField,
    line::Rows(1, "data_points", kExpHistogramPointShape, otap::TableKind::kExpHistogramDataPoints),
};
inline constexpr MessageShape kExpHistogramShape = {"ExponentialHistogram", kExpHistogramFields};
inline constexpr std::array kSummaryFields = {
    line::Rows(1, "data_points", kSummaryPointShape, otap::TableKind::kSummaryDataPoints),
};
inline constexpr MessageShape kSummaryShape = {"Summary", kSummaryFields};
/// The choices stand in the order of MetricType.
inline constexpr std::array kMetricFields = {
    line::Text(1, "name"),
    line::Text(2, "description"),
    line::Text(3, "unit"),
    line::Attributes(12, "metadata"),
    line::Choice(5, "gauge", kGaugeShape),
    line::Choice(7, "sum", kSumShape),
    line::Choice(9, "histogram", kHistogramShape),
    line::Choice(10, "exponential_histogram", kExpHistogramShape),
    line::Choice(11, "summary", kSummaryShape),
};
inline constexpr MessageShape kMetricShape = {"Metric", kMetricFields};

/// Values of `metric_type` (format reference 2.6).
enum class MetricType : uint8_t {
  kNone = 0,
  kGauge = 1,
  kSum = 2,
  kHistogram = 3,
  kExpHistogram = 4,
  kSummary = 5,
};
inline constexpr size_t kFirstMetricData = kMetricShape.Position("gauge");

/// Returns the field of Metric that holds data of a type.
constexpr const FieldShape& DataField(MetricType type) {
  return kMetricFields[kFirstMetricData + static_cast<size_t>(type) - 1];
}
/// Returns kNone for a field that holds no data.
constexpr MetricType DataTypeOf(uint32_t field_number) {
  const size_t index = kMetricShape.IndexOf(field_number);
  return index < kFirstMetricData || index == kMetricFields.size()
             ? MetricType::kNone
             : static_cast<MetricType>(index - kFirstMetricData + 1);
}
static_assert(DataTypeOf(5) == MetricType::kGauge && DataTypeOf(11) == MetricType::kSummary);

// ---- Requests

/// The names of the three levels above the records.
struct RequestFields {
  Field resources;  ///< of the request
  Field scopes;     ///< of a resource
  Field records;    ///< of a scope
};

/// These levels are alike in all signals.
class RequestShapes {
 public:
  struct Names {
    std::string_view request;
    std::string_view resource;
    std::string_view scope;
  };
  constexpr RequestShapes(const MessageShape& record, std::string_view resources,
                          std::string_view scopes, std::string_view records, const Names& names)
      : scope_fields_{line::Message(1, "scope", kScopeShape), line::Text(3, "schema_url"),
                      line::Messages(2, records, record, Expect::kSmall)},
        resource_fields_{line::Message(1, "resource", kResourceShape, Expect::kSmall),
                         line::Text(3, "schema_url"),
                         line::Messages(2, scopes, scope, Expect::kLarge)},
        request_fields_{line::Messages(1, resources, resource, Expect::kLarge)},
        scope(names.scope, scope_fields_),
        resource(names.resource, resource_fields_),
        request(names.request, request_fields_) {}
  RequestShapes(const RequestShapes&) = delete;
  RequestShapes& operator=(const RequestShapes&) = delete;

  constexpr RequestFields fields() const {
    return {request_fields_[0].field(), resource_fields_[2].field(), scope_fields_[2].field()};
  }

 private:
  std::array<FieldShape, 3> scope_fields_;
  std::array<FieldShape, 3> resource_fields_;
  std::array<FieldShape, 1> request_fields_;

 public:
  MessageShape scope;
  MessageShape resource;
  MessageShape request;
};

inline constexpr RequestShapes kLogsShapes(kLogRecordShape, "resource_logs", "scope_logs",
                                           "log_records",
                                           {"ExportLogsServiceRequest", "ResourceLogs",
                                            "ScopeLogs"});
inline constexpr RequestShapes kTracesShapes(kSpanShape, "resource_spans", "scope_spans", "spans",
                                             {"ExportTraceServiceRequest", "ResourceSpans",
                                              "ScopeSpans"});
inline constexpr RequestShapes kMetricsShapes(kMetricShape, "resource_metrics", "scope_metrics",
                                              "metrics",
                                              {"ExportMetricsServiceRequest", "ResourceMetrics",
                                               "ScopeMetrics"});

constexpr const RequestShapes& RequestShapesOf(otap::Signal signal) {
  switch (signal) {
    case otap::Signal::kTraces:
      return kTracesShapes;
    case otap::Signal::kMetrics:
      return kMetricsShapes;
    case otap::Signal::kLogs:
      break;
  }
  return kLogsShapes;
}
constexpr const MessageShape& RequestShape(otap::Signal signal) {
  return RequestShapesOf(signal).request;
}
constexpr RequestFields RequestFieldsOf(otap::Signal signal) {
  return RequestShapesOf(signal).fields();
}

// ---- Fields that the definition has, or had once, and the model does not.

struct UnmodelledField {
  std::string_view message;
  uint32_t number;
  std::string_view name;
};
inline constexpr auto kUnmodelledFields = std::to_array<UnmodelledField>({
    {"Resource", 3, "entity_refs"},
    {"AnyValue", 8, "string_value_strindex"},
    {"KeyValue", 3, "key_strindex"},
    {"ResourceLogs", 1000, "instrumentation_library_logs"},
    {"ResourceSpans", 1000, "instrumentation_library_spans"},
    {"ResourceMetrics", 1000, "instrumentation_library_metrics"},
    {"LogRecord", 4, "name"},
    {"Status", 1, "deprecated_code"},
    {"Metric", 4, "int_gauge"},
    {"Metric", 6, "int_sum"},
    {"Metric", 8, "int_histogram"},
    {"NumberDataPoint", 1, "labels"},
    {"HistogramDataPoint", 1, "labels"},
    {"SummaryDataPoint", 1, "labels"},
    {"Exemplar", 1, "filtered_labels"},
});

}  // namespace df::otlp
