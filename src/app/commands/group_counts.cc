#include "app/commands/group_counts.h"

#include <array>
#include <limits>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "app/commands/records.h"
#include "app/commands/value_json.h"
#include "base/text.h"
#include "select/selector.h"

namespace df::app {
namespace {

constexpr int64_t kMinute = 60'000'000'000;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;

/// What stands for items without a time.
const std::string kNoTime = "null";

std::string JsonOf(const select::Value& value) {
  std::string json;
  AppendJson(value, &json);
  return json;
}

std::string TextJson(std::string_view text) { return JsonOf(select::MakeText(std::string(text))); }

/// The begin of the period that a time is in; the least time where that is before all times.
int64_t PeriodOf(int64_t nanos, int64_t period) {
  const int64_t past = nanos % period;
  int64_t begin = 0;
  return __builtin_sub_overflow(nanos, past < 0 ? past + period : past, &begin)
             ? std::numeric_limits<int64_t>::min()
             : begin;
}

/// "WARN" of WARN2: the digit says little to people.
std::string SeverityJson(const select::Value& number) {
  const auto* integer = number.As<int64_t>();
  std::string name(SeverityName(integer == nullptr ? 0 : *integer));
  while (!name.empty() && name.back() >= '0' && name.back() <= '9') {
    name.pop_back();
  }
  return name.empty() ? "null" : TextJson(name);
}

std::string StatusJson(const select::Value& code) {
  constexpr std::array<std::string_view, 3> kNames = {"unset", "ok", "error"};
  const auto* integer = code.As<int64_t>();
  return integer != nullptr && *integer >= 0 && *integer < 3
             ? TextJson(kNames[static_cast<size_t>(*integer)])
             : JsonOf(code);
}

/// Reads one field of the items of a table.
class FieldReader {
 public:
  FieldReader(const GroupField& field, const otap::Batch& batch, otap::TableKind table)
      : field_(field) {
    if (field.kind == GroupField::Kind::kPeriod) {
      times_ = select::EventTimes(*batch.table(table), table);
    } else {
      reader_.emplace(*field.expression, batch, table);
      by_code_.resize(static_cast<size_t>(reader_->num_codes()));
    }
  }

  const std::string& At(int64_t row) {
    if (field_.kind == GroupField::Kind::kPeriod) {
      const int64_t time = times_[static_cast<size_t>(row)];
      if (time == 0) {
        return kNoTime;
      }
      const int64_t begin = PeriodOf(time, field_.period_nanos);
      if (written_.empty() || begin != written_of_) {
        written_of_ = begin;
        written_ = JsonOf(select::Value{select::Time{begin}});
      }
      return written_;
    }
    const int64_t code = by_code_.empty() ? -1 : reader_->CodeAt(row);
    if (code < 0) {
      written_ = Write(reader_->At(row));
      return written_;
    }
    std::string& known = by_code_[static_cast<size_t>(code)];
    if (known.empty()) {
      known = Write(reader_->At(row));
    }
    return known;
  }

 private:
  std::string Write(const select::Value& value) const {
    switch (field_.kind) {
      case GroupField::Kind::kSeverity:
        return SeverityJson(value);
      case GroupField::Kind::kStatus:
        return StatusJson(value);
      default:
        return JsonOf(value);
    }
  }

  const GroupField& field_;
  std::vector<int64_t> times_;
  std::optional<select::ExpressionReader> reader_;
  std::vector<std::string> by_code_;
  std::string written_;
  int64_t written_of_ = 0;
};

}  // namespace

Result<GroupField> FindGroupField(const std::string& name, otap::Signal signal) {
  using Kind = GroupField::Kind;
  GroupField field{.name = name};
  std::string path = name;
  if (name == "service") {
    path = "resource.attributes[\"service.name\"]";
  } else if (name == "severity" && signal == otap::Signal::kLogs) {
    path = "severity_number";
    field.kind = Kind::kSeverity;
  } else if (name == "status" && signal == otap::Signal::kTraces) {
    path = "status.code";
    field.kind = Kind::kStatus;
  } else if (name == "name" && signal == otap::Signal::kMetrics) {
    path = "metric.name";
  } else if (name == "kind" && signal == otap::Signal::kTraces) {
    path = "kind.string";
  } else if (name == "trace_id" || name == "span_id" || name == "parent_span_id") {
    path = name + ".string";
  } else if (name == "minute" || name == "hour" || name == "day") {
    field.kind = Kind::kPeriod;
    field.period_nanos = name == "minute" ? kMinute : name == "hour" ? kHour : kDay;
    return field;
  }
  auto expression = select::Expression::Compile(path, signal);
  if (!expression.ok()) {
    const std::string_view others = signal == otap::Signal::kLogs     ? "severity, "
                                    : signal == otap::Signal::kTraces ? "status, kind, "
                                                                      : "name, ";
    return Status::Invalid(fmt::format("'{}', for {}: {}; or service, {}minute, hour, day",
                                       PrintableText(name), otap::Name(signal),
                                       expression.status().message(), others));
  }
  field.expression = *std::move(expression);
  return field;
}

Result<GroupField> PeriodField(const std::string& duration) {
  ARROW_ASSIGN_OR_RAISE(const auto period, ParseDuration(duration));
  if (period.count() <= 0) {
    return Status::Invalid(fmt::format("found '{}', expected more than nothing", duration));
  }
  return GroupField{
      .name = "time", .kind = GroupField::Kind::kPeriod, .period_nanos = period.count()};
}

Status GroupCounts::CheckSize() const {
  return groups_.size() <= kMostGroups
             ? Status::OK()
             : Status::CapacityError(fmt::format(
                   "more than {} groups: count by fields with fewer values", kMostGroups));
}

Status GroupCounts::AddTable(const otap::Batch& batch, otap::TableKind table) {
  const int64_t num_rows = batch.table(table)->num_rows();
  num_items_ += num_rows;
  std::vector<FieldReader> readers;
  readers.reserve(fields_.size());
  for (const GroupField& field : fields_) {
    readers.emplace_back(field, batch, table);
  }
  // Neighbours often have the same values.
  std::vector<std::string> key(fields_.size());
  int64_t* count = nullptr;
  for (int64_t row = 0; row < num_rows; ++row) {
    bool is_same = count != nullptr;
    for (size_t i = 0; i < readers.size(); ++i) {
      const std::string& value = readers[i].At(row);
      if (key[i] != value) {
        key[i] = value;
        is_same = false;
      }
    }
    if (!is_same) {
      count = &groups_[key];
      ARROW_RETURN_NOT_OK(CheckSize());
    }
    ++*count;
  }
  return Status::OK();
}

Status GroupCounts::Add(const lake::Payload& payload) {
  for (const otap::TableKind table : ItemTablesOf(*payload.batch)) {
    ARROW_RETURN_NOT_OK(AddTable(*payload.batch, table));
  }
  return Status::OK();
}

Status GroupCounts::Merge(const GroupCounts& other) {
  num_items_ += other.num_items_;
  for (const auto& [key, count] : other.groups_) {
    groups_[key] += count;
    ARROW_RETURN_NOT_OK(CheckSize());
  }
  return Status::OK();
}

Result<GroupCounts> CountBy(Archive* archive, const std::vector<GroupField>& fields,
                            const std::vector<otap::Signal>& signals) {
  std::vector<GroupCounts> counts(static_cast<size_t>(archive->options().num_threads),
                                  GroupCounts(fields));
  const auto add = [&counts](const lake::Payload& payload, size_t thread) {
    return counts[thread].Add(payload);
  };
  ARROW_RETURN_NOT_OK(archive->Read({}, add, signals));
  GroupCounts sum(fields);
  for (const GroupCounts& one : counts) {
    ARROW_RETURN_NOT_OK(sum.Merge(one));
  }
  return sum;
}

}  // namespace df::app
