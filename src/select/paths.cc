#include "select/paths.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace df::select {
namespace {

using enum Reading;
using Kind = StaticKind;

constexpr auto kLogPaths = std::to_array<PathInfo>({
    {"time_unix_nano", "time_unix_nano", kPlain, Kind::kInteger},
    {"time", "time_unix_nano", kTime, Kind::kTime},
    {"observed_time_unix_nano", "observed_time_unix_nano", kPlain, Kind::kInteger},
    {"observed_time", "observed_time_unix_nano", kTime, Kind::kTime},
    {"severity_number", "severity_number", kPlain, Kind::kInteger},
    {"severity_text", "severity_text", kPlain, Kind::kText},
    {"body", "body", kValue, Kind::kAny},
    {"body.string", "body", kValueText, Kind::kText},
    {"attributes", "", kAttributes, Kind::kMap},
    {"dropped_attributes_count", "dropped_attributes_count", kPlain, Kind::kInteger},
    {"flags", "flags", kPlain, Kind::kInteger},
    {"trace_id", "trace_id", kPlain, Kind::kId},
    {"trace_id.string", "trace_id", kIdText, Kind::kText},
    {"span_id", "span_id", kPlain, Kind::kId},
    {"span_id.string", "span_id", kIdText, Kind::kText},
    {"event_name", "event_name", kPlain, Kind::kText},
});

constexpr auto kSpanPaths = std::to_array<PathInfo>({
    {"trace_id", "trace_id", kPlain, Kind::kId},
    {"trace_id.string", "trace_id", kIdText, Kind::kText},
    {"span_id", "span_id", kPlain, Kind::kId},
    {"span_id.string", "span_id", kIdText, Kind::kText},
    {"parent_span_id", "parent_span_id", kPlain, Kind::kId},
    {"parent_span_id.string", "parent_span_id", kIdText, Kind::kText},
    {"trace_state", "trace_state", kPlain, Kind::kText},
    {"name", "name", kPlain, Kind::kText},
    {"kind", "kind", kPlain, Kind::kInteger},
    {"kind.string", "kind", kKindText, Kind::kText},
    {"kind.deprecated_string", "kind", kOldKindText, Kind::kText},
    {"start_time_unix_nano", "start_time_unix_nano", kPlain, Kind::kInteger},
    {"start_time", "start_time_unix_nano", kTime, Kind::kTime},
    {"end_time_unix_nano", "start_time_unix_nano", kEndNanos, Kind::kInteger},
    {"end_time", "start_time_unix_nano", kEndTime, Kind::kTime},
    {"attributes", "", kAttributes, Kind::kMap},
    {"dropped_attributes_count", "dropped_attributes_count", kPlain, Kind::kInteger},
    {"dropped_events_count", "dropped_events_count", kPlain, Kind::kInteger},
    {"dropped_links_count", "dropped_links_count", kPlain, Kind::kInteger},
    {"status.code", "status.code", kPlain, Kind::kInteger},
    {"status.message", "status.status_message", kPlain, Kind::kText},
    {"flags", "flags", kPlain, Kind::kInteger},
});

constexpr auto kPointPaths = std::to_array<PathInfo>({
    {"attributes", "", kAttributes, Kind::kMap},
    {"start_time_unix_nano", "start_time_unix_nano", kPlain, Kind::kInteger},
    {"start_time", "start_time_unix_nano", kTime, Kind::kTime},
    {"time_unix_nano", "time_unix_nano", kPlain, Kind::kInteger},
    {"time", "time_unix_nano", kTime, Kind::kTime},
    {"value_int", "int_value", kOptional},
    {"value_double", "double_value", kOptional},
    {"flags", "flags", kPlain, Kind::kInteger},
    {"count", "count", kOptional},
    {"sum", "sum", kOptional},
    {"bucket_counts", "bucket_counts", kList},
    {"explicit_bounds", "explicit_bounds", kList},
    {"scale", "scale", kOptional},
    {"zero_count", "zero_count", kOptional},
    {"positive.offset", "positive.offset", kOptional},
    {"positive.bucket_counts", "positive.bucket_counts", kList},
    {"negative.offset", "negative.offset", kOptional},
    {"negative.bucket_counts", "negative.bucket_counts", kList},
});

constexpr auto kMetricPaths = std::to_array<PathInfo>({
    {"name", "name", kPlain, Kind::kText, Place::kMetric},
    {"description", "description", kPlain, Kind::kText, Place::kMetric},
    {"unit", "unit", kPlain, Kind::kText, Place::kMetric},
    {"type", "metric_type", kPlain, Kind::kInteger, Place::kMetric},
    {"aggregation_temporality", "aggregation_temporality", kForTypes, Kind::kAny, Place::kMetric},
    {"is_monotonic", "is_monotonic", kForTypes, Kind::kAny, Place::kMetric},
});

constexpr auto kResourcePaths = std::to_array<PathInfo>({
    {"attributes", "resource", kAttributes, Kind::kMap, Place::kResource},
    {"dropped_attributes_count", "resource.dropped_attributes_count", kPlain, Kind::kInteger,
     Place::kResource},
    {"schema_url", "resource.schema_url", kPlain, Kind::kText, Place::kResource},
});

constexpr auto kScopePaths = std::to_array<PathInfo>({
    {"name", "scope.name", kPlain, Kind::kText, Place::kScope},
    {"version", "scope.version", kPlain, Kind::kText, Place::kScope},
    {"attributes", "scope", kAttributes, Kind::kMap, Place::kScope},
    {"dropped_attributes_count", "scope.dropped_attributes_count", kPlain, Kind::kInteger,
     Place::kScope},
    {"schema_url", "schema_url", kPlain, Kind::kText, Place::kScope},
});

std::span<const PathInfo> ItemPaths(Context context) {
  switch (context) {
    case Context::kLog:
      return kLogPaths;
    case Context::kSpan:
      return kSpanPaths;
    case Context::kDataPoint:
      return kPointPaths;
  }
  return {};
}

/// A name in front of fields, and the fields behind it.
struct Prefix {
  std::string_view name;
  std::span<const PathInfo> paths;
};

std::vector<Prefix> PrefixesOf(Context context) {
  std::vector<Prefix> prefixes = {{Name(context), ItemPaths(context)},
                                  {"resource", kResourcePaths},
                                  {"scope", kScopePaths},
                                  {"instrumentation_scope", kScopePaths}};
  if (context == Context::kDataPoint) {
    prefixes.push_back({"metric", kMetricPaths});
  }
  return prefixes;
}

constexpr std::array<std::string_view, 24> kSeverities = {
    "TRACE", "TRACE2", "TRACE3", "TRACE4", "DEBUG", "DEBUG2", "DEBUG3", "DEBUG4",
    "INFO",  "INFO2",  "INFO3",  "INFO4",  "WARN",  "WARN2",  "WARN3",  "WARN4",
    "ERROR", "ERROR2", "ERROR3", "ERROR4", "FATAL", "FATAL2", "FATAL3", "FATAL4"};

std::vector<std::pair<std::string, int64_t>> EnumsOf(Context context) {
  std::vector<std::pair<std::string, int64_t>> enums;
  const auto add = [&](std::string_view prefix, std::initializer_list<std::string_view> names) {
    int64_t number = 0;
    for (const std::string_view name : names) {
      enums.emplace_back(fmt::format("{}{}", prefix, name), number++);
    }
  };
  switch (context) {
    case Context::kLog:
      enums.emplace_back("SEVERITY_NUMBER_UNSPECIFIED", 0);
      for (size_t i = 0; i < kSeverities.size(); ++i) {
        enums.emplace_back(fmt::format("SEVERITY_NUMBER_{}", kSeverities[i]), i + 1);
      }
      break;
    case Context::kSpan:
      add("SPAN_KIND_", {"UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"});
      add("STATUS_CODE_", {"UNSET", "OK", "ERROR"});
      break;
    case Context::kDataPoint:
      add("FLAG_", {"NONE", "NO_RECORDED_VALUE"});
      add("AGGREGATION_TEMPORALITY_", {"UNSPECIFIED", "DELTA", "CUMULATIVE"});
      add("METRIC_DATA_TYPE_",
          {"NONE", "GAUGE", "SUM", "HISTOGRAM", "EXPONENTIAL_HISTOGRAM", "SUMMARY"});
      break;
  }
  return enums;
}

std::string Nearest(const std::string& name, const std::vector<std::string>& candidates) {
  const std::string nearest = NearestName(name, candidates);
  return nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest);
}

}  // namespace

Context ContextOf(otap::Signal signal) {
  switch (signal) {
    case otap::Signal::kLogs:
      return Context::kLog;
    case otap::Signal::kTraces:
      return Context::kSpan;
    case otap::Signal::kMetrics:
      break;
  }
  return Context::kDataPoint;
}

std::string_view Name(Context context) {
  switch (context) {
    case Context::kLog:
      return "log";
    case Context::kSpan:
      return "span";
    case Context::kDataPoint:
      break;
  }
  return "datapoint";
}

Result<const PathInfo*> FindPath(Context context, const PathSyntax& path, Position position,
                                 std::vector<KeySyntax>* keys) {
  const std::vector<Prefix> prefixes = PrefixesOf(context);
  size_t first = 0;
  std::span<const PathInfo> paths = ItemPaths(context);
  if (path.fields.size() > 1 && path.fields.front().keys.empty()) {
    for (const Prefix& prefix : prefixes) {
      if (path.fields.front().name == prefix.name) {
        paths = prefix.paths;
        first = 1;
      }
    }
  }
  std::string name;
  std::string whole;
  for (size_t i = 0; i < path.fields.size(); ++i) {
    whole += (i == 0 ? "" : ".") + path.fields[i].name;
    name += i < first ? "" : (i == first ? "" : ".") + path.fields[i].name;
  }
  const auto found = std::find_if(paths.begin(), paths.end(),
                                  [&](const PathInfo& info) { return info.name == name; });
  if (found == paths.end()) {
    std::vector<std::string> candidates;
    for (const PathInfo& info : ItemPaths(context)) {
      candidates.emplace_back(info.name);
    }
    for (const Prefix& prefix : prefixes) {
      for (const PathInfo& info : prefix.paths) {
        candidates.push_back(fmt::format("{}.{}", prefix.name, info.name));
      }
    }
    return SyntaxError(position, fmt::format("found '{}', expected a field of a {}{}", whole,
                                             Name(context), Nearest(whole, candidates)));
  }
  for (size_t i = 0; i < path.fields.size(); ++i) {
    const PathSyntax::Field& field = path.fields[i];
    const bool is_last = i + 1 == path.fields.size();
    const bool takes_keys =
        is_last && (found->reading == Reading::kAttributes || found->reading == Reading::kValue ||
                    found->reading == Reading::kList);
    if (!field.keys.empty() && !takes_keys) {
      return SyntaxError(field.position,
                         fmt::format("found a key behind '{}', which has no members", field.name));
    }
    *keys = field.keys;
  }
  if (found->reading == Reading::kAttributes && !keys->empty() &&
      !std::holds_alternative<std::string>(keys->front())) {
    return SyntaxError(position, "found a number, expected the key of an attribute in quotes");
  }
  return &*found;
}

Result<int64_t> FindEnum(Context context, const std::string& name, Position position) {
  std::vector<std::string> names;
  for (const auto& [found, number] : EnumsOf(context)) {
    if (found == name) {
      return number;
    }
    names.push_back(found);
  }
  return SyntaxError(position, fmt::format("found '{}', which is no enum of a {}{}", name,
                                           Name(context), Nearest(name, names)));
}

}  // namespace df::select
