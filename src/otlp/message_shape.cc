#include "otlp/message_shape.h"

#include <algorithm>
#include <array>

namespace df::otlp {
namespace {

using enum WireKind;
using enum Presence;

constexpr bool kLost = true;

constexpr FieldShape Attributes(uint32_t number, std::string_view name = "attributes") {
  return {number, name, kMessage, kRepeated, &kKeyValueShape};
}
constexpr FieldShape Messages(uint32_t number, std::string_view name, const MessageShape& shape) {
  return {number, name, kMessage, kRepeated, &shape};
}
constexpr FieldShape Message(uint32_t number, std::string_view name, const MessageShape& shape) {
  return {number, name, kMessage, kImplicit, &shape};
}
constexpr FieldShape Choice(uint32_t number, std::string_view name, const MessageShape& shape) {
  return {number, name, kMessage, kOneof, &shape};
}

}  // namespace

constexpr std::array kAnyValueFields = {
    FieldShape{1, "string_value", kString, kOneof}, FieldShape{2, "bool_value", kBool, kOneof},
    FieldShape{3, "int_value", kInt, kOneof},       FieldShape{4, "double_value", kDouble, kOneof},
    Choice(5, "array_value", kArrayValueShape),     Choice(6, "kvlist_value", kKeyValueListShape),
    FieldShape{7, "bytes_value", kBytes, kOneof}};
constexpr std::array kArrayValueFields = {Messages(1, "values", kAnyValueShape)};
constexpr std::array kKeyValueListFields = {Messages(1, "values", kKeyValueShape)};
constexpr std::array kKeyValueFields = {FieldShape{1, "key", kString},
                                        Message(2, "value", kAnyValueShape)};

const MessageShape kArrayValueShape = {"ArrayValue", kArrayValueFields};
const MessageShape kKeyValueListShape = {"KeyValueList", kKeyValueListFields};

constexpr std::array kResourceFields = {Attributes(1),
                                        FieldShape{2, "dropped_attributes_count", kUInt}};
const MessageShape kResourceShape = {"Resource", kResourceFields};
constexpr std::array kScopeFields = {FieldShape{1, "name", kString},
                                     FieldShape{2, "version", kString}, Attributes(3),
                                     FieldShape{4, "dropped_attributes_count", kUInt}};
const MessageShape kScopeShape = {"InstrumentationScope", kScopeFields};

constexpr std::array kLogRecordFields = {FieldShape{1, "time_unix_nano", kFixed64},
                                         FieldShape{2, "severity_number", kInt},
                                         FieldShape{3, "severity_text", kString},
                                         Message(5, "body", kAnyValueShape),
                                         Attributes(6),
                                         FieldShape{7, "dropped_attributes_count", kUInt},
                                         FieldShape{8, "flags", kFixed32},
                                         FieldShape{9, "trace_id", kBytes},
                                         FieldShape{10, "span_id", kBytes},
                                         FieldShape{11, "observed_time_unix_nano", kFixed64},
                                         FieldShape{12, "event_name", kString}};
const MessageShape kLogRecordShape = {"LogRecord", kLogRecordFields};

constexpr std::array kEventFields = {FieldShape{1, "time_unix_nano", kFixed64},
                                     FieldShape{2, "name", kString}, Attributes(3),
                                     FieldShape{4, "dropped_attributes_count", kUInt}};
const MessageShape kEventShape = {"Event", kEventFields};
constexpr std::array kLinkFields = {FieldShape{1, "trace_id", kBytes},
                                    FieldShape{2, "span_id", kBytes},
                                    FieldShape{3, "trace_state", kString},
                                    Attributes(4),
                                    FieldShape{5, "dropped_attributes_count", kUInt},
                                    FieldShape{6, "flags", kFixed32, kImplicit, nullptr, kLost}};
const MessageShape kLinkShape = {"Link", kLinkFields};
constexpr std::array kStatusFields = {FieldShape{2, "message", kString},
                                      FieldShape{3, "code", kInt}};
const MessageShape kStatusShape = {"Status", kStatusFields};
constexpr std::array kSpanFields = {FieldShape{1, "trace_id", kBytes},
                                    FieldShape{2, "span_id", kBytes},
                                    FieldShape{3, "trace_state", kString},
                                    FieldShape{4, "parent_span_id", kBytes},
                                    FieldShape{5, "name", kString},
                                    FieldShape{6, "kind", kInt},
                                    FieldShape{7, "start_time_unix_nano", kFixed64},
                                    FieldShape{8, "end_time_unix_nano", kFixed64},
                                    Attributes(9),
                                    FieldShape{10, "dropped_attributes_count", kUInt},
                                    Messages(11, "events", kEventShape),
                                    FieldShape{12, "dropped_events_count", kUInt},
                                    Messages(13, "links", kLinkShape),
                                    FieldShape{14, "dropped_links_count", kUInt},
                                    Message(15, "status", kStatusShape),
                                    FieldShape{16, "flags", kFixed32, kImplicit, nullptr, kLost}};
const MessageShape kSpanShape = {"Span", kSpanFields};

constexpr std::array kExemplarFields = {
    FieldShape{2, "time_unix_nano", kFixed64},  FieldShape{3, "as_double", kDouble, kOneof},
    FieldShape{4, "span_id", kBytes},           FieldShape{5, "trace_id", kBytes},
    FieldShape{6, "as_int", kSFixed64, kOneof}, Attributes(7, "filtered_attributes")};
const MessageShape kExemplarShape = {"Exemplar", kExemplarFields};
constexpr std::array kNumberPointFields = {FieldShape{2, "start_time_unix_nano", kFixed64},
                                           FieldShape{3, "time_unix_nano", kFixed64},
                                           FieldShape{4, "as_double", kDouble, kOneof},
                                           Messages(5, "exemplars", kExemplarShape),
                                           FieldShape{6, "as_int", kSFixed64, kOneof},
                                           Attributes(7),
                                           FieldShape{8, "flags", kUInt}};
const MessageShape kNumberPointShape = {"NumberDataPoint", kNumberPointFields};
constexpr std::array kHistogramPointFields = {FieldShape{2, "start_time_unix_nano", kFixed64},
                                              FieldShape{3, "time_unix_nano", kFixed64},
                                              FieldShape{4, "count", kFixed64},
                                              FieldShape{5, "sum", kDouble, kExplicit},
                                              FieldShape{6, "bucket_counts", kFixed64, kRepeated},
                                              FieldShape{7, "explicit_bounds", kDouble, kRepeated},
                                              Messages(8, "exemplars", kExemplarShape),
                                              Attributes(9),
                                              FieldShape{10, "flags", kUInt},
                                              FieldShape{11, "min", kDouble, kExplicit},
                                              FieldShape{12, "max", kDouble, kExplicit}};
const MessageShape kHistogramPointShape = {"HistogramDataPoint", kHistogramPointFields};
constexpr std::array kBucketsFields = {FieldShape{1, "offset", kSInt},
                                       FieldShape{2, "bucket_counts", kUInt, kRepeated}};
constexpr std::array kExpHistogramPointFields = {
    Attributes(1),
    FieldShape{2, "start_time_unix_nano", kFixed64},
    FieldShape{3, "time_unix_nano", kFixed64},
    FieldShape{4, "count", kFixed64},
    FieldShape{5, "sum", kDouble, kExplicit},
    FieldShape{6, "scale", kSInt},
    FieldShape{7, "zero_count", kFixed64},
    Message(8, "positive", kBucketsShape),
    Message(9, "negative", kBucketsShape),
    FieldShape{10, "flags", kUInt},
    Messages(11, "exemplars", kExemplarShape),
    FieldShape{12, "min", kDouble, kExplicit},
    FieldShape{13, "max", kDouble, kExplicit},
    FieldShape{14, "zero_threshold", kDouble, kImplicit, nullptr, kLost}};
const MessageShape kExpHistogramPointShape = {"ExponentialHistogramDataPoint",
                                              kExpHistogramPointFields};
constexpr std::array kQuantileFields = {FieldShape{1, "quantile", kDouble},
                                        FieldShape{2, "value", kDouble}};
const MessageShape kQuantileShape = {"ValueAtQuantile", kQuantileFields};
constexpr std::array kSummaryPointFields = {FieldShape{2, "start_time_unix_nano", kFixed64},
                                            FieldShape{3, "time_unix_nano", kFixed64},
                                            FieldShape{4, "count", kFixed64},
                                            FieldShape{5, "sum", kDouble},
                                            Messages(6, "quantile_values", kQuantileShape),
                                            Attributes(7),
                                            FieldShape{8, "flags", kUInt}};
const MessageShape kSummaryPointShape = {"SummaryDataPoint", kSummaryPointFields};

constexpr FieldShape kTemporality = {2, "aggregation_temporality", kInt};
constexpr std::array kGaugeFields = {Messages(1, "data_points", kNumberPointShape)};
const MessageShape kGaugeShape = {"Gauge", kGaugeFields};
constexpr std::array kSumFields = {Messages(1, "data_points", kNumberPointShape), kTemporality,
                                   FieldShape{3, "is_monotonic", kBool, kImplicit, nullptr, kLost}};
const MessageShape kSumShape = {"Sum", kSumFields};
constexpr std::array kHistogramFields = {Messages(1, "data_points", kHistogramPointShape),
                                         kTemporality};
const MessageShape kHistogramShape = {"Histogram", kHistogramFields};
constexpr std::array kExpHistogramFields = {Messages(1, "data_points", kExpHistogramPointShape),
                                            kTemporality};
const MessageShape kExpHistogramShape = {"ExponentialHistogram", kExpHistogramFields};
constexpr std::array kSummaryFields = {Messages(1, "data_points", kSummaryPointShape)};
const MessageShape kSummaryShape = {"Summary", kSummaryFields};
constexpr std::array kMetricFields = {FieldShape{1, "name", kString},
                                      FieldShape{2, "description", kString},
                                      FieldShape{3, "unit", kString},
                                      Choice(5, "gauge", kGaugeShape),
                                      Choice(7, "sum", kSumShape),
                                      Choice(9, "histogram", kHistogramShape),
                                      Choice(10, "exponential_histogram", kExpHistogramShape),
                                      Choice(11, "summary", kSummaryShape),
                                      Attributes(12, "metadata")};
const MessageShape kMetricShape = {"Metric", kMetricFields};

namespace {

/// Names of the three levels above the records.
struct EnvelopeNames {
  std::string_view request;
  std::string_view resource;
  std::string_view scope;
};

/// These levels are alike.
struct Envelope {
  std::array<FieldShape, 3> scope_fields;
  std::array<FieldShape, 3> resource_fields;
  std::array<FieldShape, 1> request_fields;
  MessageShape scope;
  MessageShape resource;
  MessageShape request;

  Envelope(const MessageShape& record, std::string_view resources, std::string_view scopes,
           std::string_view records, const EnvelopeNames& names)
      : scope_fields{Message(1, "scope", kScopeShape), Messages(2, records, record),
                     FieldShape{3, "schema_url", kString}},
        resource_fields{Message(1, "resource", kResourceShape), Messages(2, scopes, scope),
                        FieldShape{3, "schema_url", kString}},
        request_fields{Messages(1, resources, resource)},
        scope{names.scope, scope_fields},
        resource{names.resource, resource_fields},
        request{names.request, request_fields} {}
  Envelope(const Envelope&) = delete;
  Envelope& operator=(const Envelope&) = delete;
};

}  // namespace

const MessageShape kAnyValueShape = {"AnyValue", kAnyValueFields};
const MessageShape kKeyValueShape = {"KeyValue", kKeyValueFields};
const MessageShape kBucketsShape = {"Buckets", kBucketsFields};

const FieldShape* MessageShape::Find(uint32_t number) const {
  // Most messages number their fields without gaps.
  if (const size_t guess = size_t{number} - 1;
      guess < fields.size() && fields[guess].number == number) {
    return &fields[guess];
  }
  const auto at = std::lower_bound(
      fields.begin(), fields.end(), number,
      [](const FieldShape& field, uint32_t wanted) { return field.number < wanted; });
  return at != fields.end() && at->number == number ? &*at : nullptr;
}

const MessageShape& RequestShape(otap::Signal signal) {
  static const Envelope kLogs(kLogRecordShape, "resource_logs", "scope_logs", "log_records",
                              {"ExportLogsServiceRequest", "ResourceLogs", "ScopeLogs"});
  static const Envelope kTraces(kSpanShape, "resource_spans", "scope_spans", "spans",
                                {"ExportTraceServiceRequest", "ResourceSpans", "ScopeSpans"});
  static const Envelope kMetrics(
      kMetricShape, "resource_metrics", "scope_metrics", "metrics",
      {"ExportMetricsServiceRequest", "ResourceMetrics", "ScopeMetrics"});
  switch (signal) {
    case otap::Signal::kLogs:
      return kLogs.request;
    case otap::Signal::kTraces:
      return kTraces.request;
    case otap::Signal::kMetrics:
      return kMetrics.request;
  }
  return kLogs.request;
}

}  // namespace df::otlp
