#include "app/commands/canary_items.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "otlp/compare/json_request.h"

namespace df::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kMillisecond = 1'000'000;

/// Proto3 JSON has 64-bit numbers as texts.
std::string Number(int64_t number) { return std::to_string(number); }

Json Attribute(std::string_view key, Json value) {
  return {{"key", key}, {"value", std::move(value)}};
}

/// One attribute of each type.
Json AttributesOf(int index) {
  return Json::array(
      {Attribute("text", {{"stringValue", fmt::format("canary \"{}\" äöü", index)}}),
       Attribute("whole", {{"intValue", Number(INT64_MAX - index)}}),
       Attribute("fraction", {{"doubleValue", 0.1 * (index + 1)}}),
       Attribute("truth", {{"boolValue", index % 2 == 0}}),
       Attribute("bytes", {{"bytesValue", "AAEC/w=="}}),
       Attribute("list", {{"arrayValue",
                           {{"values", Json::array({Json{{"intValue", Number(index)}},
                                                    Json{{"stringValue", ""}}})}}}}),
       Attribute("map",
                 {{"kvlistValue",
                   {{"values", Json::array({Attribute("inner", {{"boolValue", false}})})}}}})});
}

std::string TraceId(int index) { return fmt::format("ca{:030x}", index + 1); }
std::string SpanId(int index) { return fmt::format("ca{:014x}", index + 1); }

Json LogRecord(int64_t time, int index) {
  return {{"timeUnixNano", Number(time)},
          {"observedTimeUnixNano", Number(time + 1)},
          {"severityNumber", 1 + index % 24},
          {"severityText", index % 3 == 0 ? "" : "canary"},
          {"body", {{"stringValue", fmt::format("canary record {}", index)}}},
          {"attributes", AttributesOf(index)},
          {"droppedAttributesCount", index % 2},
          {"flags", 1},
          {"traceId", TraceId(index)},
          {"spanId", SpanId(index)},
          {"eventName", "canary"}};
}

Json SpanOf(int64_t time, int index) {
  return {{"traceId", TraceId(index)},
          {"spanId", SpanId(index)},
          {"parentSpanId", SpanId(index + 1)},
          {"traceState", "canary=yes"},
          {"flags", 257},
          {"name", fmt::format("canary {}", index)},
          {"kind", 1 + index % 5},
          {"startTimeUnixNano", Number(time)},
          {"endTimeUnixNano", Number(time + (index + 1) * kMillisecond)},
          {"attributes", AttributesOf(index)},
          {"events", Json::array({Json{{"timeUnixNano", Number(time + 1)},
                                       {"name", "sang"},
                                       {"attributes", AttributesOf(index + 1)}}})},
          {"links", Json::array({Json{{"traceId", TraceId(index + 7)},
                                      {"spanId", SpanId(index + 7)},
                                      {"attributes", AttributesOf(index + 2)}}})},
          {"status", {{"code", index % 3}, {"message", index % 3 == 2 ? "fell off" : ""}}}};
}

Json ExemplarOf(int64_t time, int index) {
  return {{"timeUnixNano", Number(time)},
          {"asDouble", index + 0.5},
          {"traceId", TraceId(index)},
          {"spanId", SpanId(index)},
          {"filteredAttributes", AttributesOf(index)}};
}

/// One of the five kinds, in turn.
Json MetricOf(int64_t time, int index) {
  Json point = {{"attributes", AttributesOf(index)},
                {"startTimeUnixNano", Number(time - kMillisecond)},
                {"timeUnixNano", Number(time)}};
  Json metric = {{"name", fmt::format("canary.metric.{}", index)},
                 {"description", "is made to be looked for"},
                 {"unit", "1"}};
  constexpr int kKinds = 5;
  switch (index % kKinds) {
    case 0:
      point["asDouble"] = index + 0.25;
      point["exemplars"] = Json::array({ExemplarOf(time, index)});
      metric["gauge"] = {{"dataPoints", Json::array({point})}};
      break;
    case 1:
      point["asInt"] = Number(index);
      metric["sum"] = {{"dataPoints", Json::array({point})},
                       {"aggregationTemporality", 2},
                       {"isMonotonic", true}};
      break;
    case 2:
      point.update(Json{{"count", "3"},
                        {"sum", 4.5},
                        {"min", 1.0},
                        {"max", 2.0},
                        {"explicitBounds", Json::array({1.5})},
                        {"bucketCounts", Json::array({"1", "2"})}});
      metric["histogram"] = {{"dataPoints", Json::array({point})}, {"aggregationTemporality", 1}};
      break;
    case 3:
      point.update(Json{{"count", "6"},
                        {"sum", 7.5},
                        {"scale", 2},
                        {"zeroCount", "1"},
                        {"positive", {{"offset", -1}, {"bucketCounts", Json::array({"2", "3"})}}},
                        {"negative", {{"offset", 4}, {"bucketCounts", Json::array({"0"})}}}});
      metric["exponentialHistogram"] = {{"dataPoints", Json::array({point})},
                                        {"aggregationTemporality", 1}};
      break;
    default:
      point.update(
          Json{{"count", "2"},
               {"sum", 3.5},
               {"quantileValues", Json::array({Json{{"quantile", 0.5}, {"value", 1.0}},
                                               Json{{"quantile", 1.0}, {"value", 2.5}}})}});
      metric["summary"] = {{"dataPoints", Json::array({point})}};
      break;
  }
  return metric;
}

/// The names of what holds the items of a signal, from the outside in, and how one is made.
struct Shape {
  const char* resources;
  const char* scopes;
  const char* items;
  Json (*make)(int64_t time, int index);
};

Shape ShapeOf(otap::Signal signal) {
  switch (signal) {
    case otap::Signal::kLogs:
      return {"resourceLogs", "scopeLogs", "logRecords", LogRecord};
    case otap::Signal::kTraces:
      return {"resourceSpans", "scopeSpans", "spans", SpanOf};
    case otap::Signal::kMetrics:
      break;
  }
  return {"resourceMetrics", "scopeMetrics", "metrics", MetricOf};
}

}  // namespace

Result<CanaryItems> MakeCanaryItems(std::string_view id, int64_t unix_nanos, int count,
                                    std::span<const otap::Signal> signals) {
  CanaryItems made;
  made.signals.assign(signals.begin(), signals.end());
  for (const otap::Signal signal : otap::kAllSignals) {
    made.digests.emplace_back(signal);
  }
  for (const otap::Signal signal : signals) {
    const Shape shape = ShapeOf(signal);
    Json items = Json::array();
    for (int i = 0; i < count; ++i) {
      items.push_back(shape.make(unix_nanos, i));
    }
    const Json resource = {
        {"attributes",
         Json::array({Attribute("service.name", {{"stringValue", "df_engine-canary"}}),
                      Attribute(kCanaryAttribute, {{"stringValue", id}})})}};
    const Json scope = {{"name", "df_engine.canary"}, {"version", "1"}};
    const Json request = {
        {shape.resources,
         Json::array(
             {Json{{"resource", resource},
                   {shape.scopes, Json::array({Json{{"scope", scope}, {shape.items, items}}})}}})}};
    const std::string line = request.dump();
    ARROW_ASSIGN_OR_RAISE(const std::string bytes, otlp::RequestFromJson(signal, line));
    ARROW_RETURN_NOT_OK(made.digests[static_cast<size_t>(signal)].Add(bytes));
    made.lines += line + "\n";
  }
  return made;
}

}  // namespace df::app
