// Configuration of the filter processor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/field_table.h"
#include "otap/any_value.h"

namespace df::nodes::processors::filter {

enum class MatchType : uint8_t {
  kStrict,  ///< texts and values are equal
  kRegexp,  ///< a pattern of RE2 matches somewhere in the text
};

struct AttributeMatch {
  std::string key;
  std::optional<otap::AttributeValue> value;  ///< nothing: any value
};

struct SeverityMatch {
  int64_t min = 0;
  bool match_undefined = false;
};

/// What records must have; criteria that are not given say nothing, and all that are given must
/// hold.
struct LogMatch {
  MatchType match_type = MatchType::kStrict;
  std::vector<AttributeMatch> resource_attributes;  ///< all of them
  std::vector<AttributeMatch> record_attributes;    ///< one of them
  std::vector<std::string> severity_texts;
  std::optional<SeverityMatch> severity_number;
  std::vector<std::string> bodies;
  std::optional<int64_t> min_time;   ///< nanoseconds since 1970, first that matches
  std::optional<int64_t> max_time;   ///< last that matches
  std::optional<std::string> where;  ///< a condition (docs/conditions.md)
};

struct TraceMatch {
  MatchType match_type = MatchType::kStrict;
  std::vector<AttributeMatch> resource_attributes;
  std::vector<AttributeMatch> span_attributes;
  std::vector<std::string> span_names;
  std::vector<std::string> event_names;
  std::vector<AttributeMatch> event_attributes;
  std::vector<AttributeMatch> link_attributes;
  std::optional<int64_t> min_time;  ///< of the start, as for logs
  std::optional<int64_t> max_time;
  std::optional<std::string> where;
};

struct MetricMatch {
  MatchType match_type = MatchType::kStrict;
  std::vector<std::string> metric_names;
  std::vector<AttributeMatch> resource_attributes;
  std::vector<AttributeMatch> datapoint_attributes;
  std::optional<int64_t> min_time;  ///< of the data point, as for logs
  std::optional<int64_t> max_time;
  std::optional<std::string> where;  ///< of data points
};

template <typename Match>
struct IncludeExclude {
  std::optional<Match> include;
  std::optional<Match> exclude;
};

struct FilterConfig {
  IncludeExclude<LogMatch> logs;
  IncludeExclude<TraceMatch> traces;
  IncludeExclude<MetricMatch> metrics;
};

const config::FieldTable<FilterConfig>& FilterFields();

}  // namespace df::nodes::processors::filter
