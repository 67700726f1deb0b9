#include "nodes/processors/filter/config.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include <arrow/util/value_parsing.h>
#include <fmt/format.h>

#include "otap/match.h"
#include "select/condition.h"

namespace df::nodes::processors::filter {
namespace {

using config::Section;

config::ValuePtr WriteValue(const std::optional<otap::AttributeValue>& value) {
  if (!value.has_value()) {
    return nullptr;
  }
  return std::visit(
      [](const auto& held) {
        if constexpr (std::is_same_v<std::decay_t<decltype(held)>, std::string>) {
          return config::MakeText(held);
        } else {
          return config::MakePlain(fmt::format("{}", held));
        }
      },
      *value);
}

const config::FieldTable<AttributeMatch>& AttributeFields() {
  static const config::FieldTable<AttributeMatch> table = {
      config::String("key", &AttributeMatch::key, "key of the attribute").Required(),
      config::Structured<AttributeMatch, std::optional<otap::AttributeValue>>(
          "value", "text, number, true or false", &AttributeMatch::value,
          [](const Section& section) -> std::optional<std::optional<otap::AttributeValue>> {
            if (section.value().kind != config::Value::Kind::kScalar) {
              section.Add(fmt::format("found {}, expected text, a number, true or false",
                                      section.value().Describe()));
              return std::nullopt;
            }
            return std::optional(
                otap::ParseAttributeValue(section.value().scalar, section.value().is_quoted));
          },
          WriteValue, [](const std::optional<otap::AttributeValue>&) { return "any"; },
          config::ScalarSchema(),
          "strict: its value, of the type that it is written as; regexp: a pattern; without it any "
          "value matches"),
  };
  return table;
}

const config::FieldTable<SeverityMatch>& SeverityFields() {
  static const config::FieldTable<SeverityMatch> table = {
      config::Integer("min", &SeverityMatch::min, {1, 24}, "lowest severity number that matches")
          .Required(),
      config::Bool("match_undefined", &SeverityMatch::match_undefined,
                   "records without a severity number match too"),
  };
  return table;
}

Result<std::optional<int64_t>> ParseTime(std::string_view text) {
  int64_t nanos = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, nanos);
  if (read.ec == std::errc() && read.ptr == end) {
    return std::optional(nanos);
  }
  bool has_zone = false;
  if (arrow::internal::ParseTimestampISO8601(text.data(), text.size(), arrow::TimeUnit::NANO,
                                             &nanos, &has_zone) &&
      has_zone) {
    return std::optional(nanos);
  }
  return Status::Invalid(fmt::format("found '{}'", text));
}

template <typename Match>
config::Field<Match> Time(std::string name, std::optional<int64_t> Match::* member,
                          std::string description) {
  return config::Custom<Match, std::optional<int64_t>>(
             std::move(name), "a time like 2025-01-31T12:00:00Z, or nanoseconds since 1970", member,
             ParseTime,
             [](const std::optional<int64_t>& time) {
               return time.has_value() ? std::to_string(*time) : std::string("none");
             },
             std::move(description))
      .PrintedWhenGiven();
}

template <typename Match>
config::Field<Match> WhereField(std::string description) {
  return config::Structured<Match, std::optional<std::string>>(
      "where", "a condition", &Match::where,
      [](const Section& section) -> std::optional<std::optional<std::string>> {
        auto text = section.ReadString();
        return text.has_value() ? std::optional(std::move(text)) : std::nullopt;
      },
      [](const std::optional<std::string>& text) {
        return text.has_value() ? config::MakeText(*text) : nullptr;
      },
      [](const std::optional<std::string>&) { return "none"; }, config::ScalarSchema(),
      std::move(description));
}

template <typename Match>
config::Field<Match> TypeField() {
  return config::Enum("match_type", &Match::match_type,
                      {{"strict", MatchType::kStrict}, {"regexp", MatchType::kRegexp}},
                      "strict: equal; regexp: a pattern (RE2) matches somewhere in the text");
}

template <typename Match>
config::Field<Match> ResourceField() {
  return config::GroupList("resource_attributes", &Match::resource_attributes, AttributeFields(),
                           "attributes of the resource, all of which must match");
}

const config::FieldTable<LogMatch>& LogFields() {
  static const config::FieldTable<LogMatch> table = {
      TypeField<LogMatch>(),
      ResourceField<LogMatch>(),
      config::GroupList("record_attributes", &LogMatch::record_attributes, AttributeFields(),
                        "attributes of the record, one of which must match"),
      config::StringList("severity_texts", &LogMatch::severity_texts,
                         "severity texts, one of which must match"),
      config::OptionalGroup("severity_number", &LogMatch::severity_number, SeverityFields(),
                            "lowest severity number"),
      config::StringList("bodies", &LogMatch::bodies,
                         "texts, one of which must match a body that is a text"),
      Time("min_time", &LogMatch::min_time, "earliest time of a record that matches"),
      Time("max_time", &LogMatch::max_time, "latest time of a record that matches"),
      WhereField<LogMatch>("a condition that must hold for the record (docs/conditions.md)"),
  };
  return table;
}

const config::FieldTable<TraceMatch>& TraceFields() {
  static const config::FieldTable<TraceMatch> table = {
      TypeField<TraceMatch>(),
      ResourceField<TraceMatch>(),
      config::GroupList("span_attributes", &TraceMatch::span_attributes, AttributeFields(),
                        "attributes of the span, one of which must match"),
      config::StringList("span_names", &TraceMatch::span_names, "names, one of which must match"),
      config::StringList("event_names", &TraceMatch::event_names,
                         "names, one of which an event of the span must match"),
      config::GroupList("event_attributes", &TraceMatch::event_attributes, AttributeFields(),
                        "attributes, one of which an event of the span must match"),
      config::GroupList("link_attributes", &TraceMatch::link_attributes, AttributeFields(),
                        "attributes, one of which a link of the span must match"),
      Time("min_time", &TraceMatch::min_time, "earliest start of a span that matches"),
      Time("max_time", &TraceMatch::max_time, "latest start of a span that matches"),
      WhereField<TraceMatch>("a condition that must hold for the span (docs/conditions.md)"),
  };
  return table;
}

const config::FieldTable<MetricMatch>& MetricFields() {
  static const config::FieldTable<MetricMatch> table = {
      TypeField<MetricMatch>(),
      config::StringList("metric_names", &MetricMatch::metric_names,
                         "names, one of which must match"),
      ResourceField<MetricMatch>(),
      config::GroupList("datapoint_attributes", &MetricMatch::datapoint_attributes,
                        AttributeFields(),
                        "attributes, one of which a data point must match; single data points are "
                        "kept or dropped then"),
      Time("min_time", &MetricMatch::min_time, "earliest time of a data point that matches"),
      Time("max_time", &MetricMatch::max_time, "latest time of a data point that matches"),
      WhereField<MetricMatch>("a condition that must hold for the data point (docs/conditions.md)"),
  };
  return table;
}

void CheckPattern(const Section& section) {
  const auto pattern = otap::Pattern::Compile(section.value().scalar);
  if (!pattern.ok()) {
    section.Add(fmt::format("found {}, expected a regular expression: {}",
                            section.value().Describe(), pattern.status().message()));
  }
}

template <typename Match>
otap::Signal SignalOf() {
  return std::is_same_v<Match, LogMatch>     ? otap::Signal::kLogs
         : std::is_same_v<Match, TraceMatch> ? otap::Signal::kTraces
                                             : otap::Signal::kMetrics;
}

/// Every text that match_type makes a pattern is one.
template <typename Match>
void CheckMatch(const Section& section, const Match& match) {
  const auto& entries = section.value().entries;
  if (std::all_of(entries.begin(), entries.end(),
                  [](const auto& entry) { return entry.key == "match_type"; })) {
    section.Add("found no criterion, expected at least one");
  }
  if (match.match_type == MatchType::kRegexp) {
    for (const char* texts :
         {"severity_texts", "bodies", "span_names", "event_names", "metric_names"}) {
      if (const auto list = section.Find(texts)) {
        for (const Section& item : list->Items()) {
          CheckPattern(item);
        }
      }
    }
    for (const char* attributes : {"resource_attributes", "record_attributes", "span_attributes",
                                   "event_attributes", "link_attributes", "datapoint_attributes"}) {
      const auto list = section.Find(attributes);
      for (const Section& item : list.has_value() ? list->Items() : std::vector<Section>()) {
        if (const auto value = item.Find("value")) {
          CheckPattern(*value);
        }
      }
    }
  }
  if (match.min_time.has_value() && match.max_time.has_value() &&
      *match.min_time > *match.max_time) {
    section.Add("min_time is later than max_time, so nothing can match");
  }
  if (match.where.has_value()) {
    const auto condition = select::Condition::Compile(*match.where, SignalOf<Match>());
    if (!condition.ok()) {
      section.Find("where")->Add(condition.status().message());
    }
  }
}

template <typename Match>
config::FieldTable<IncludeExclude<Match>> MakeSides(const config::FieldTable<Match>& fields) {
  using Sides = IncludeExclude<Match>;
  return {
      config::OptionalGroup("include", &Sides::include, fields,
                            "only what matches is kept; without it everything is",
                            CheckMatch<Match>),
      config::OptionalGroup("exclude", &Sides::exclude, fields,
                            "what matches is dropped, after include", CheckMatch<Match>),
  };
}

}  // namespace

const config::FieldTable<FilterConfig>& FilterFields() {
  static const auto log_sides = MakeSides(LogFields());
  static const auto trace_sides = MakeSides(TraceFields());
  static const auto metric_sides = MakeSides(MetricFields());
  static const config::FieldTable<FilterConfig> table = {
      config::Group("logs", &FilterConfig::logs, log_sides, "which log records to keep"),
      config::Group("traces", &FilterConfig::traces, trace_sides, "which spans to keep"),
      config::Group("metrics", &FilterConfig::metrics, metric_sides,
                    "which metrics and data points to keep"),
  };
  return table;
}

}  // namespace df::nodes::processors::filter
