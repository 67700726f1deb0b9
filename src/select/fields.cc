#include "select/fields.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include <fmt/format.h>
#include <fnmatch.h>

#include "base/text.h"
#include "select/conversions.h"

namespace df::select {
namespace {

using config::Section;

constexpr size_t kMaxTraceIds = 10'000'000;

config::Field<TimeSettings> Time(std::string name, std::optional<TimePoint> TimeSettings::* member,
                                 std::string description) {
  return config::Custom<TimeSettings, std::optional<TimePoint>>(
             std::move(name),
             "a time like 2025-01-31T12:00:00Z (of 1678 to 2262), 1738324800s (or ms, us, ns since "
             "1970), -2h or now",
             member,
             [](std::string_view text) -> Result<std::optional<TimePoint>> {
               ARROW_ASSIGN_OR_RAISE(const TimePoint point, ParseTimePoint(text));
               return std::optional(point);
             },
             [](const std::optional<TimePoint>& point) {
               return point.has_value() ? ShowTimePoint(*point) : std::string("none");
             },
             std::move(description))
      .PrintedWhenGiven();
}

const config::FieldTable<TimeSettings>& TimeFields() {
  static const config::FieldTable<TimeSettings> table = {
      Time("from", &TimeSettings::from,
           "first time wanted: RFC 3339 with a zone, 1738324800s (ms, us, ns), -2h or now"),
      Time("to", &TimeSettings::to, "first time not wanted any more"),
  };
  return table;
}

const config::FieldTable<PartitionSettings>& PartitionFields() {
  static const config::FieldTable<PartitionSettings> table = {
      config::StringList("include", &PartitionSettings::include,
                         "patterns, one of which the path of a partition must match"),
      config::StringList("exclude", &PartitionSettings::exclude,
                         "patterns, none of which the path of a partition may match"),
  };
  return table;
}

/// A list that is printed only where it was given: an empty one wants nothing and is refused.
config::Field<SelectSettings> TraceIdsField() {
  config::Field<SelectSettings> field =
      config::StringList("trace_ids", &SelectSettings::trace_ids,
                         "log records and spans of these traces, in hexadecimal; no metrics then")
          .PrintedWhenGiven();
  field.effective = [](const Section* section) {
    return section == nullptr ? nullptr : std::make_shared<const config::Value>(section->value());
  };
  return field;
}

std::optional<WhereSettings> ReadWhere(const Section& section) {
  WhereSettings where;
  if (section.value().kind == config::Value::Kind::kScalar) {
    where.all = section.ReadString();
    return where.all.has_value() ? std::optional(where) : std::nullopt;
  }
  std::vector<std::string> names;
  for (const otap::Signal signal : otap::kAllSignals) {
    names.emplace_back(otap::Name(signal));
  }
  if (!section.CheckMap(names)) {
    return std::nullopt;
  }
  for (const otap::Signal signal : otap::kAllSignals) {
    if (const auto value = section.Find(otap::Name(signal)); value.has_value()) {
      where.by_signal[static_cast<size_t>(signal)] = value->ReadString();
    }
  }
  return where;
}

config::ValuePtr WriteWhere(const WhereSettings& where) {
  if (where.all.has_value()) {
    return config::MakeText(*where.all);
  }
  std::vector<std::pair<std::string, config::ValuePtr>> entries;
  for (const otap::Signal signal : otap::kAllSignals) {
    const auto& text = where.by_signal[static_cast<size_t>(signal)];
    entries.emplace_back(otap::Name(signal), text.has_value() ? config::MakeText(*text) : nullptr);
  }
  return config::MakeMap(std::move(entries));
}

/// Adds the ids of a file; false where that fails, which is told.
bool ReadTraceIdFile(const Section& section, const std::string& path,
                     std::unordered_set<std::string>* ids) {
  const Status status = ReadTraceIdsFile(path, ids);
  if (!status.ok()) {
    section.Add(status.message());
  }
  return status.ok();
}

bool Matches(const std::vector<std::string>& patterns, const std::string& partition) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return fnmatch(pattern.c_str(), partition.c_str(), 0) == 0;
  });
}

/// Reads conditions and ids; false where one of them is wrong.
class Reader {
 public:
  Reader(const Section& section, Selection* selection) : section_(section), selection_(selection) {}

  bool Read(std::span<const otap::Signal> signals) {
    const SelectSettings& settings = selection_->settings;
    for (const otap::Signal signal : otap::kAllSignals) {
      const auto& own = settings.where.by_signal[static_cast<size_t>(signal)];
      const bool is_read = std::find(signals.begin(), signals.end(), signal) != signals.end();
      if (settings.where.all.has_value() && is_read) {
        Compile(signal, *settings.where.all, *section_.Find("where"));
      } else if (own.has_value()) {
        const Section where = *section_.Find("where")->Find(otap::Name(signal));
        if (!is_read) {
          Refuse(where, fmt::format("found a condition for {}, which are not among signal_types",
                                    otap::Name(signal)));
        }
        Compile(signal, *own, where);
      }
    }
    has_traces_ = std::any_of(signals.begin(), signals.end(),
                              [](otap::Signal signal) { return signal != otap::Signal::kMetrics; });
    ReadTraceIds();
    CheckTime();
    return is_right_;
  }

 private:
  void Refuse(const Section& where, std::string_view message) {
    where.Add(message);
    is_right_ = false;
  }

  void Compile(otap::Signal signal, const std::string& text, const Section& where) {
    auto condition = Condition::Compile(text, signal, TraceQuestions::kAllowed);
    if (!condition.ok()) {
      Refuse(where, fmt::format("for {}: {}", otap::Name(signal), condition.status().message()));
      return;
    }
    selection_->wishes.where[static_cast<size_t>(signal)] = *std::move(condition);
  }

  void ReadTraceIds() {
    const SelectSettings& settings = selection_->settings;
    const auto listed = section_.Find("trace_ids");
    const auto file = section_.Find("trace_ids_file");
    if (!listed.has_value() && !file.has_value()) {
      return;
    }
    std::unordered_set<std::string> ids;
    for (const std::string& text : settings.trace_ids) {
      auto id = ParseTraceId(text);
      if (!id.has_value()) {
        Refuse(*listed, fmt::format("found '{}', expected 32 hexadecimal digits, not all 0",
                                    PrintableText(text)));
        return;
      }
      ids.insert(*std::move(id));
    }
    if (file.has_value() && !ReadTraceIdFile(*file, settings.trace_ids_file, &ids)) {
      is_right_ = false;
      return;
    }
    if (!has_traces_) {
      Refuse(listed.has_value() ? *listed : *file,
             "found ids of traces, and signal_types names metrics alone, which are of no trace");
      return;
    }
    if (ids.empty()) {
      Refuse(listed.has_value() ? *listed : *file, "found no id, so nothing can be wanted");
      return;
    }
    selection_->wishes.trace_ids = std::move(ids);
  }

  void CheckTime() {
    const TimeSettings& time = selection_->settings.time;
    if (time.from.has_value() && time.to.has_value() &&
        time.from->is_relative == time.to->is_relative &&
        time.from->Resolve(0) >= time.to->Resolve(0)) {
      Refuse(*section_.Find("time"), "from is not earlier than to, so nothing can be wanted");
    }
  }

  const Section& section_;
  Selection* selection_;
  bool has_traces_ = true;  ///< a signal that is read has them
  bool is_right_ = true;
};

}  // namespace

std::optional<std::string> ParseTraceId(std::string_view text) {
  const Value read = ReadId({Text{Chars::Borrow(text)}}, 16, "TraceID");
  const Id* id = read.As<Id>();
  if (text.size() != 32 || id == nullptr ||
      id->view().find_first_not_of('\0') == std::string::npos) {
    return std::nullopt;
  }
  return std::string(id->view());
}

Status ReadTraceIdsFile(const std::string& path, std::unordered_set<std::string>* ids) {
  std::ifstream file(path);
  if (!file) {
    return Status::Invalid(fmt::format("found '{}', which cannot be opened", path));
  }
  std::string line;
  for (size_t number = 1; std::getline(file, line); ++number) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) {
      line.pop_back();
    }
    if (line.empty()) {
      continue;
    }
    auto id = ParseTraceId(line);
    if (!id.has_value() || ids->size() >= kMaxTraceIds) {
      return Status::Invalid(fmt::format(
          "{}:{}: found '{}', expected 32 hexadecimal digits, not all 0, and at most {} of them",
          path, number, PrintableText(std::string_view(line).substr(0, 64)), kMaxTraceIds));
    }
    ids->insert(*std::move(id));
  }
  return file.eof() ? Status::OK()
                    : Status::Invalid(fmt::format("found '{}', which cannot be read", path));
}

bool PartitionSettings::Wants(const std::string& partition) const {
  return (include.empty() || Matches(include, partition)) && !Matches(exclude, partition);
}

const config::FieldTable<SelectSettings>& SelectFields() {
  static const config::FieldTable<SelectSettings> table = {
      config::Group("time", &SelectSettings::time, TimeFields(),
                    "records of this time: from inclusive, to exclusive"),
      config::Group("partitions", &SelectSettings::partitions, PartitionFields(),
                    "partitions to read, by the path below the folder of a table"),
      config::Structured<SelectSettings, WhereSettings>(
          "where", "a condition, or logs, traces and metrics with one each", &SelectSettings::where,
          ReadWhere, WriteWhere, [](const WhereSettings&) { return "everything"; }, nullptr,
          "what must hold for a log record, a span or a data point (docs/conditions.md)"),
      TraceIdsField(),
      config::String("trace_ids_file", &SelectSettings::trace_ids_file,
                     "a file with such ids, one a line")
          .PrintedWhenGiven(),
  };
  return table;
}

Selector Selection::Begin(int64_t now_nanos) const {
  Wishes begun = wishes;
  if (settings.time.from.has_value()) {
    begun.time.from = settings.time.from->Resolve(now_nanos);
  }
  if (settings.time.to.has_value()) {
    begun.time.to = settings.time.to->Resolve(now_nanos);
  }
  return Selector(std::move(begun));
}

bool Selection::AsksOfTraces() const {
  return std::any_of(wishes.where.begin(), wishes.where.end(), [](const auto& where) {
    return where.has_value() && !where->trace_questions().empty();
  });
}

std::string Selection::Fingerprint() const {
  std::string text = config::ToJson(*config::Write(SelectFields(), settings));
  if (wishes.trace_ids.has_value()) {  // of a file, too, whatever its name is
    size_t sum = 0;
    for (const std::string& id : *wishes.trace_ids) {
      sum += std::hash<std::string>()(id);
    }
    text += fmt::format("{} {}", wishes.trace_ids->size(), sum);
  }
  return text;
}

std::optional<Selection> ReadSelection(const config::Section& section,
                                       const SelectSettings& settings,
                                       std::span<const otap::Signal> signals) {
  Selection selection{.settings = settings, .wishes = {}};
  return Reader(section, &selection).Read(signals) ? std::optional(std::move(selection))
                                                   : std::nullopt;
}

}  // namespace df::select
