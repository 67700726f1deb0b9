#include "app/commands/records.h"

#include <algorithm>
#include <span>

#include <arrow/api.h>
#include <fmt/format.h>

#include "app/commands/duration_text.h"
#include "app/commands/moment.h"
#include "app/commands/point_numbers.h"
#include "app/commands/span_children.h"
#include "app/commands/value_json.h"
#include "base/text.h"
#include "otap/rows.h"
#include "select/selector.h"

namespace df::app {
namespace {

using otap::Signal;
using select::Value;

/// A field of an item, and its name in JSON.
struct FieldInfo {
  std::string_view name;
  std::string_view path;
};

/// The first fields are the same for all signals.
enum CommonField : size_t {
  kService,
  kAttributes,
  kResource,
  kScopeName,
  kScopeVersion,
  kScopeAttributes,
  kFlags,
  kNumCommon
};
constexpr auto kCommonFields = std::to_array<FieldInfo>({
    {"service", "resource.attributes[\"service.name\"]"},
    {"attributes", "attributes"},
    {"resource", "resource.attributes"},
    {"scope", "scope.name"},
    {"scope_version", "scope.version"},
    {"scope_attributes", "scope.attributes"},
    {"flags", "flags"},
});

enum LogField : size_t {
  kSeverityNumber = kNumCommon,
  kSeverityText,
  kBody,
  kEventName,
  kLogTraceId,
  kLogSpanId,
  kObservedTime
};
constexpr auto kLogFields = std::to_array<FieldInfo>({
    {"severity_number", "severity_number"},
    {"severity_text", "severity_text"},
    {"body", "body"},
    {"event_name", "event_name"},
    {"trace_id", "trace_id.string"},
    {"span_id", "span_id.string"},
    {"observed_time", "observed_time_unix_nano"},
});

enum SpanField : size_t {
  kSpanName = kNumCommon,
  kSpanKind,
  kEndNanos,
  kStatusCode,
  kStatusMessage,
  kTraceId,
  kSpanId,
  kParentSpanId,
  kTraceState
};
constexpr auto kSpanFields = std::to_array<FieldInfo>({
    {"name", "name"},
    {"kind", "kind.string"},
    {"end_time", "end_time_unix_nano"},
    {"status", "status.code"},
    {"status_message", "status.message"},
    {"trace_id", "trace_id.string"},
    {"span_id", "span_id.string"},
    {"parent_span_id", "parent_span_id.string"},
    {"trace_state", "trace_state"},
});

enum PointField : size_t {
  kMetricName = kNumCommon,
  kUnit,
  kDescription,
  kMetricType,
  kTemporality,
  kIsMonotonic,
  kStartTime,
  kCount
};
constexpr auto kPointFields = std::to_array<FieldInfo>({
    {"metric", "metric.name"},
    {"unit", "metric.unit"},
    {"description", "metric.description"},
    {"type", "metric.type"},
    {"temporality", "metric.aggregation_temporality"},
    {"is_monotonic", "metric.is_monotonic"},
    {"start_time", "start_time_unix_nano"},
    {"count", "count"},
    {"bucket_counts", "bucket_counts"},
    {"explicit_bounds", "explicit_bounds"},
    {"scale", "scale"},
    {"zero_count", "zero_count"},
    {"positive_offset", "positive.offset"},
    {"positive_bucket_counts", "positive.bucket_counts"},
    {"negative_offset", "negative.offset"},
    {"negative_bucket_counts", "negative.bucket_counts"},
});

static_assert(record_fields::kService == kService && record_fields::kAttributes == kAttributes &&
              record_fields::kLogSpanId == kLogSpanId && record_fields::kSpanName == kSpanName &&
              record_fields::kSpanEndNanos == kEndNanos &&
              record_fields::kSpanStatusCode == kStatusCode &&
              record_fields::kSpanStatusMessage == kStatusMessage &&
              record_fields::kSpanId == kSpanId && record_fields::kSpanParentId == kParentSpanId);

constexpr std::array<std::string_view, 3> kStatusNames = {"unset", "ok", "error"};
constexpr std::array<std::string_view, 3> kTemporalityNames = {"", "delta", "cumulative"};
constexpr std::array<std::string_view, 6> kMetricTypeNames = {
    "", "gauge", "sum", "histogram", "exponential_histogram", "summary"};

std::span<const FieldInfo> FieldsOf(Signal signal) {
  switch (signal) {
    case Signal::kLogs:
      return kLogFields;
    case Signal::kTraces:
      return kSpanFields;
    case Signal::kMetrics:
      break;
  }
  return kPointFields;
}

const FieldInfo& InfoOf(Signal signal, size_t field) {
  return field < kNumCommon ? kCommonFields[field] : FieldsOf(signal)[field - kNumCommon];
}

/// Whether a field counts something, and so is never below zero.
bool IsCount(std::string_view name) {
  return name == "count" || name.ends_with("_count") || name.ends_with("_counts");
}

/// Says nothing: not there, zero, or empty.
bool IsEmpty(const Value& value) {
  if (const auto* integer = value.As<int64_t>()) {
    return *integer == 0;
  }
  if (const auto* text = value.As<select::Text>()) {
    return text->view().empty();
  }
  if (const select::List* list = value.list(); list != nullptr) {
    return list->empty();
  }
  if (const select::Map* map = value.map(); map != nullptr) {
    return map->empty();
  }
  return value.is_nil();
}

std::string_view TextOf(const Value& value) {
  const auto* text = value.As<select::Text>();
  return text == nullptr ? std::string_view() : text->view();
}

int64_t IntegerOf(const Value& value) {
  const auto* integer = value.As<int64_t>();
  return integer == nullptr ? 0 : *integer;
}

/// The name of a number, or the number itself where it has none.
Value NameOf(const Value& number, std::span<const std::string_view> names) {
  const int64_t index = IntegerOf(number);
  return index >= 0 && index < static_cast<int64_t>(names.size())
             ? Value{select::Text{select::Chars::Borrow(names[static_cast<size_t>(index)])}}
             : number;
}

Value TimeOf(const Value& nanos) {
  return IsEmpty(nanos) ? Value() : Value{select::Time{IntegerOf(nanos)}};
}

/// Numbers that say something as words.
Value Readable(Signal signal, size_t field, Value value) {
  const std::string_view name = InfoOf(signal, field).name;
  if (name == "status") {
    return IntegerOf(value) == 0 ? Value() : NameOf(value, kStatusNames);
  }
  if (name == "temporality") {
    return IntegerOf(value) == 0 ? Value() : NameOf(value, kTemporalityNames);
  }
  if (name == "type") {
    return NameOf(value, kMetricTypeNames);
  }
  if (name.ends_with("_time")) {
    return TimeOf(value);
  }
  if (name.ends_with("_id") && TextOf(value).find_first_not_of('0') == std::string_view::npos) {
    return {};
  }
  return value;
}

constexpr std::string_view kPlainColor = "\x1b[0m";
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kCyan = "\x1b[36m";

/// A text in a colour, where there are colours.
std::string Colored(std::string_view text, std::string_view color, const RecordStyle& style) {
  return style.has_color && !text.empty() ? fmt::format("{}{}{}", color, text, kPlainColor)
                                          : std::string(text);
}

std::string_view ColorOfSeverity(int64_t number) {
  return number >= 17 ? kRed : number >= 13 ? kYellow : number >= 9 ? std::string_view() : kDim;
}

std::string Plain(const Value& value) {
  std::string text;
  AppendPlain(value, &text);
  return text;
}

/// The name of a service, "-" where there is none.
std::string ServiceText(const Value& service, const RecordStyle& style) {
  const std::string name = Plain(service);
  return Colored(name.empty() ? "-" : name, kCyan, style);
}

/// " k=v" for each entry of a map; texts with spaces stand in quotes.
void AppendPairs(const Value& attributes, std::string* line) {
  const select::Map* map = attributes.map();
  if (map == nullptr) {
    return;
  }
  for (const auto& [key, value] : *map) {
    *line += ' ';
    AppendLine(key, line);
    *line += '=';
    const std::string_view text = TextOf(value);
    if (value.As<select::Text>() != nullptr &&
        (text.empty() || text.find_first_of(" \"=\t\n") != std::string_view::npos)) {
      AppendJson(value, line);
    } else {
      AppendPlain(value, line);
    }
  }
}

/// Names and values below each other.
class Details {
 public:
  void Add(std::string name, const Value& value) {
    if (!IsEmpty(value)) {
      std::string text;
      IsCount(name) ? AppendCounts(value, &text) : AppendPlain(value, &text);
      lines_.emplace_back(std::move(name), std::move(text));
    }
  }
  void AddMap(std::string_view prefix, const Value& value) {
    if (const select::Map* map = value.map(); map != nullptr) {
      for (const auto& [key, member] : *map) {
        std::string name(prefix);
        AppendLine(key, &name);
        const bool is_bare =
            member.is_nil() || (member.As<select::Text>() != nullptr && TextOf(member).empty());
        std::string text;
        is_bare ? AppendJson(member, &text) : AppendPlain(member, &text);
        lines_.emplace_back(std::move(name), std::move(text));
      }
    }
  }
  void AppendTo(std::string* text) const {
    size_t width = 0;
    for (const auto& [name, value] : lines_) {
      width = std::max(width, std::min<size_t>(name.size(), 40));
    }
    for (const auto& [name, value] : lines_) {
      *text += fmt::format("    {:<{}}  {}\n", name, width, value);
    }
  }

 private:
  std::vector<std::pair<std::string, std::string>> lines_;
};

/// The value of a number data point, as OTLP takes it where both kinds are there.
Value PointValueAt(const std::shared_ptr<arrow::RecordBatch>& rows, int64_t row) {
  Value integer = NumberAt(rows, "int_value", row);
  return integer.is_nil() ? NumberAt(rows, "double_value", row) : integer;
}

void AppendNumber(std::string_view name, const Value& number, std::string* json) {
  if (!number.is_nil()) {
    *json += fmt::format(",\"{}\":", name);
    AppendJson(number, json);
  }
}

}  // namespace

std::vector<otap::TableKind> ItemTablesOf(const otap::Batch& batch) {
  using enum otap::TableKind;
  const std::vector<otap::TableKind> all =
      batch.signal() == Signal::kMetrics
          ? std::vector{kNumberDataPoints, kSummaryDataPoints, kHistogramDataPoints,
                        kExpHistogramDataPoints}
          : std::vector{otap::RootTable(batch.signal())};
  std::vector<otap::TableKind> present;
  std::copy_if(all.begin(), all.end(), std::back_inserter(present),
               [&](otap::TableKind table) { return batch.table(table) != nullptr; });
  return present;
}

std::string_view SeverityName(int64_t number) {
  constexpr std::array<std::string_view, 24> kNames = {
      "TRACE", "TRACE2", "TRACE3", "TRACE4", "DEBUG", "DEBUG2", "DEBUG3", "DEBUG4",
      "INFO",  "INFO2",  "INFO3",  "INFO4",  "WARN",  "WARN2",  "WARN3",  "WARN4",
      "ERROR", "ERROR2", "ERROR3", "ERROR4", "FATAL", "FATAL2", "FATAL3", "FATAL4"};
  return number >= 1 && number <= 24 ? kNames[static_cast<size_t>(number - 1)] : "";
}

Result<RecordFields> RecordFields::Make(Signal signal) {
  RecordFields fields;
  fields.signal_ = signal;
  const auto add = [&](std::span<const FieldInfo> infos) -> Status {
    for (const FieldInfo& info : infos) {
      ARROW_ASSIGN_OR_RAISE(select::Expression expression,
                            select::Expression::Compile(info.path, signal));
      fields.expressions_.push_back(std::move(expression));
    }
    return Status::OK();
  };
  ARROW_RETURN_NOT_OK(add(kCommonFields));
  ARROW_RETURN_NOT_OK(add(FieldsOf(signal)));
  return fields;
}

RecordTexts::RecordTexts(const RecordFields& fields, const otap::Batch& batch,
                         otap::TableKind table, RecordStyle style)
    : fields_(fields),
      batch_(batch),
      table_(table),
      style_(style),
      times_(select::EventTimes(*batch.table(table), table)) {
  for (const select::Expression& expression : fields.expressions()) {
    readers_.emplace_back(expression, batch, table);
  }
  if (fields.signal() == Signal::kTraces) {
    children_ = std::make_unique<SpanChildren>(batch);
  }
}
RecordTexts::~RecordTexts() = default;

std::string RecordTexts::At(int64_t row) {
  return style_.form == RecordForm::kJson ? JsonAt(row) : LineAt(row);
}

std::string RecordTexts::AttributesAt(int64_t row) {
  std::string pairs;
  AppendPairs(Read(kAttributes, row), &pairs);
  return pairs;
}

std::string RecordTexts::JsonAt(int64_t row) {
  const Signal signal = fields_.signal();
  const std::string_view time_name = signal == Signal::kTraces ? "start_time" : "time";
  std::string json = "{";
  const auto add = [&](std::string_view name, const Value& value) {
    json += fmt::format("{}\"{}\":", json.size() == 1 ? "" : ",", name);
    IsCount(name) ? AppendCounts(value, &json) : AppendJson(value, &json);
  };
  const int64_t time = times_[static_cast<size_t>(row)];
  if (time != 0) {
    add(time_name, Value{select::Time{time}});
  }
  const auto add_field = [&](size_t field) {
    const Value value = Readable(signal, field, Read(field, row));
    // Of histograms and summaries zeros are numbers like others.
    const bool is_number =
        signal == Signal::kMetrics && field >= kCount && !value.is_nil() && value.list() == nullptr;
    // A body of 0, "", [] or {} is not the same as none.
    const bool is_body = signal == Signal::kLogs && field == kBody && !value.is_nil();
    if (is_number || is_body || !IsEmpty(value)) {
      add(InfoOf(signal, field).name, value);
    }
  };
  add_field(kService);
  for (size_t field = kNumCommon; field < readers_.size(); ++field) {
    add_field(field);
  }
  if (signal == Signal::kTraces) {
    add("duration_nanos", Value{IntegerOf(Read(kEndNanos, row)) - time});
  }
  if (signal == Signal::kMetrics) {
    AppendPointNumbers(row, &json);
  }
  for (const size_t field : {kAttributes, kFlags}) {
    add_field(field);
  }
  if (children_ != nullptr) {
    children_->AppendJsonOf(row, &json);
  }
  for (const size_t field : {kScopeName, kScopeVersion, kScopeAttributes, kResource}) {
    add_field(field);
  }
  return json + "}\n";
}

void RecordTexts::AppendPointNumbers(int64_t row, std::string* json) {
  const auto& rows = batch_.table(table_);
  AppendNumber("value", PointValueAt(rows, row), json);
  for (const std::string_view name : {"sum", "min", "max", "zero_threshold"}) {
    AppendNumber(name, NumberAt(rows, name, row), json);
  }
  if (const std::string quantiles = QuantilesAt(rows, row); !quantiles.empty()) {
    *json += ",\"quantiles\":" + quantiles;
  }
}

std::string RecordTexts::LineAt(int64_t row) {
  const int64_t time = times_[static_cast<size_t>(row)];
  std::string line =
      Colored(time == 0 ? "(no time)               " : ShowMoment(time), kDim, style_);
  switch (fields_.signal()) {
    case Signal::kLogs:
      AppendLogLine(row, &line);
      break;
    case Signal::kTraces:
      AppendSpanLine(row, &line);
      break;
    case Signal::kMetrics:
      AppendPointLine(row, &line);
      break;
  }
  if (style_.form == RecordForm::kDetailed) {
    line += '\n';
    AppendDetails(row, &line);
    return line;
  }
  std::string pairs = AttributesAt(row);
  if (fields_.signal() != Signal::kMetrics) {
    const size_t field = fields_.signal() == Signal::kLogs ? size_t{kLogTraceId} : size_t{kTraceId};
    const Value trace = Read(field, row);
    const std::string_view id = TextOf(trace);
    if (!id.empty() && id.find_first_not_of('0') != std::string_view::npos) {
      pairs += fmt::format(" trace={}", id);
    }
  }
  if (!pairs.empty()) {
    line += ' ' + Colored(pairs, kDim, style_);
  }
  return line + '\n';
}

void RecordTexts::AppendLogLine(int64_t row, std::string* line) {
  const int64_t number = IntegerOf(Read(kSeverityNumber, row));
  const Value text = Read(kSeverityText, row);
  std::string severity;
  AppendLine(TextOf(text).empty() ? SeverityName(number) : TextOf(text), &severity);
  *line += ' ' + Colored(fmt::format("{:<5}", severity.empty() ? "-" : severity),
                         ColorOfSeverity(number == 0 ? 9 : number), style_);
  *line += ' ' + ServiceText(Read(kService, row), style_) + "  ";
  const std::string body = Plain(Read(kBody, row));
  *line += body.empty() ? Plain(Read(kEventName, row)) : body;
}

void RecordTexts::AppendSpanLine(int64_t row, std::string* line) {
  *line += ' ' + ServiceText(Read(kService, row), style_) + "  ";
  *line += Plain(Read(kSpanName, row));
  const int64_t end = IntegerOf(Read(kEndNanos, row));
  *line += fmt::format("  {} {}", Plain(Read(kSpanKind, row)),
                       end == 0 ? "(no end)" : ShowDuration(end - TimeAt(row)));
  if (IntegerOf(Read(kStatusCode, row)) == 2) {
    const std::string message = Plain(Read(kStatusMessage, row));
    *line += ' ' + Colored(message.empty() ? "ERROR" : "ERROR: " + message, kRed, style_);
  }
}

void RecordTexts::AppendPointLine(int64_t row, std::string* line) {
  *line += ' ' + ServiceText(Read(kService, row), style_) + "  ";
  *line += Plain(Read(kMetricName, row)) + " =";
  const std::string unit = Plain(Read(kUnit, row));
  const auto& rows = batch_.table(table_);
  if (table_ == otap::TableKind::kNumberDataPoints) {
    const Value value = PointValueAt(rows, row);
    *line += value.is_nil() ? " (no value)" : ' ' + Plain(value);
  } else {
    *line += " count ";
    AppendCounts(Read(kCount, row), line);
    if (const Value sum = NumberAt(rows, "sum", row); !sum.is_nil()) {
      *line += " sum " + Plain(sum);
    }
  }
  *line += unit.empty() || unit == "1" ? "" : ' ' + unit;
}

void RecordTexts::AppendDetails(int64_t row, std::string* text) {
  Details details;
  const Signal signal = fields_.signal();
  details.AddMap("", Read(kAttributes, row));
  for (size_t field = kNumCommon; field < readers_.size(); ++field) {
    if (signal == Signal::kLogs && (field == kBody || field == kSeverityText)) {
      continue;  // stands in the line
    }
    details.Add(std::string(InfoOf(signal, field).name), Readable(signal, field, Read(field, row)));
  }
  details.Add("scope", Read(kScopeName, row));
  details.Add("scope_version", Read(kScopeVersion, row));
  details.AddMap("scope.", Read(kScopeAttributes, row));
  details.AddMap("resource.", Read(kResource, row));
  details.AppendTo(text);
  if (children_ != nullptr) {
    children_->AppendLinesOf(row, text);
  }
}

}  // namespace df::app
