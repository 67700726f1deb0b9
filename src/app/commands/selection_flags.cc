#include "app/commands/selection_flags.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/commands/moment.h"
#include "base/text.h"
#include "select/fields.h"

namespace df::app {
namespace {

using otap::Signal;

constexpr std::array<std::string_view, 6> kSeverities = {"TRACE", "DEBUG", "INFO",
                                                         "WARN",  "ERROR", "FATAL"};

Status Refuse(std::string_view flag, const Status& why) {
  return Status::Invalid(fmt::format("{}: {}", flag, why.message()));
}

Status Refuse(std::string_view flag, std::string_view why) {
  return Status::Invalid(fmt::format("{}: {}", flag, why));
}

std::string UpperCase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

/// Collects the parts of the conditions of one signal, the cheapest to ask first.
class Conditions {
 public:
  explicit Conditions(Signal signal) : signal_(signal) {}

  /// Tells whether a condition can be asked of the table of records alone.
  bool IsCheap(const std::string& part) const {
    const auto compiled = select::Condition::Compile(part, signal_, kQuestions);
    return compiled.ok() && compiled->has_root_part();
  }

  Status Add(std::string_view flag, std::string part) {
    const auto compiled = select::Condition::Compile(part, signal_, kQuestions);
    if (!compiled.ok()) {
      return Refuse(flag,
                    fmt::format("for {}: {}", otap::Name(signal_), compiled.status().message()));
    }
    parts_.push_back(std::move(part));
    return Status::OK();
  }

  std::optional<std::string> Whole() const {
    if (parts_.empty()) {
      return std::nullopt;
    }
    return parts_.size() == 1 ? parts_.front() : fmt::format("({})", fmt::join(parts_, ") and ("));
  }

 private:
  static constexpr auto kQuestions = select::TraceQuestions::kAllowed;

  Signal signal_;
  std::vector<std::string> parts_;
};

Status AddSeverity(const SelectionFlags& flags, Signal signal, Conditions* conditions) {
  if (flags.wants_errors) {
    if (signal == Signal::kMetrics) {
      return Refuse("--errors", "data points are no errors; it is for logs and traces");
    }
    ARROW_RETURN_NOT_OK(conditions->Add("--errors", signal == Signal::kLogs
                                                        ? "severity_number >= SEVERITY_NUMBER_ERROR"
                                                        : "status.code == STATUS_CODE_ERROR"));
  }
  if (!flags.min_severity.has_value()) {
    return Status::OK();
  }
  const std::string name = UpperCase(*flags.min_severity);
  if (std::find(kSeverities.begin(), kSeverities.end(), name) == kSeverities.end()) {
    return Refuse("--min-severity",
                  fmt::format("found '{}', expected one of {}", PrintableText(*flags.min_severity),
                              fmt::join(kSeverities, ", ")));
  }
  if (signal != Signal::kLogs) {
    return Refuse("--min-severity",
                  fmt::format("{} have no severity; it is for logs", otap::Name(signal)));
  }
  return conditions->Add("--min-severity",
                         fmt::format("severity_number >= SEVERITY_NUMBER_{}", name));
}

std::string GrepOf(const std::string& pattern, Signal signal) {
  const std::string_view field = signal == Signal::kLogs     ? "body.string"
                                 : signal == Signal::kTraces ? "name"
                                                             : "metric.name";
  const std::string match = fmt::format("IsMatch({}, {})", field, QuotedForCondition(pattern));
  // A record without a body has no text, not an empty one.
  return signal == Signal::kLogs ? "body != nil and " + match : match;
}

std::string ServicesOf(const std::vector<std::string>& services) {
  std::vector<std::string> tests;
  for (const std::string& service : services) {
    tests.push_back(
        fmt::format("resource.attributes[\"service.name\"] == {}", QuotedForCondition(service)));
  }
  return fmt::format("{}", fmt::join(tests, " or "));
}

Result<std::optional<std::string>> ConditionOf(const SelectionFlags& flags, Signal signal) {
  Conditions conditions(signal);
  ARROW_RETURN_NOT_OK(AddSeverity(flags, signal, &conditions));
  if (!flags.grep.empty()) {
    ARROW_RETURN_NOT_OK(conditions.Add("--grep", GrepOf(flags.grep, signal)));
  }
  for (const std::string& where : flags.where) {
    if (conditions.IsCheap(where)) {
      ARROW_RETURN_NOT_OK(conditions.Add("--where", where));
    }
  }
  if (!flags.services.empty()) {
    ARROW_RETURN_NOT_OK(conditions.Add("--service", ServicesOf(flags.services)));
  }
  for (const std::string& where : flags.where) {
    if (!conditions.IsCheap(where)) {
      ARROW_RETURN_NOT_OK(conditions.Add("--where", where));
    }
  }
  return conditions.Whole();
}

Result<select::TimeRange> TimesOf(const SelectionFlags& flags, int64_t now_nanos) {
  select::TimeRange time;
  if (flags.from.has_value()) {
    auto from = ParseMoment(*flags.from, now_nanos);
    if (!from.ok()) {
      return Refuse("--from", from.status());
    }
    time.from = *from;
  }
  if (flags.until.has_value()) {
    auto until = ParseMoment(*flags.until, now_nanos, time.from);
    if (!until.ok()) {
      return Refuse("--until", until.status());
    }
    time.to = *until;
  }
  if (time.from.has_value() && time.to.has_value() && *time.from >= *time.to) {
    return Refuse("--until", fmt::format("{} is not after --from {}", ShowMoment(*time.to),
                                         ShowMoment(*time.from)));
  }
  return time;
}

Status ReadTraceIds(const SelectionFlags& flags, select::Wishes* wishes) {
  if (flags.traces.empty() && !flags.trace_ids_file.has_value()) {
    return Status::OK();
  }
  wishes->trace_ids.emplace();
  for (const std::string& text : flags.traces) {
    auto id = select::ParseTraceId(text);
    if (!id.has_value()) {
      return Refuse("--trace", fmt::format("found '{}', expected 32 hexadecimal digits, not all 0",
                                           PrintableText(text)));
    }
    wishes->trace_ids->insert(*std::move(id));
  }
  if (flags.trace_ids_file.has_value()) {
    if (const Status read = select::ReadTraceIdsFile(*flags.trace_ids_file, &*wishes->trace_ids);
        !read.ok()) {
      return Refuse("--trace-ids", read);
    }
  }
  return Status::OK();
}

}  // namespace

bool HasConditions(const SelectionFlags& flags) {
  return flags.from.has_value() || flags.until.has_value() || !flags.services.empty() ||
         flags.wants_errors || flags.min_severity.has_value() || !flags.where.empty() ||
         !flags.grep.empty() || !flags.traces.empty() || flags.trace_ids_file.has_value();
}

void AddSelectionFlags(CLI::App* command, SelectionFlags* flags) {
  const std::string group = "Which records";
  command
      ->add_option("--from", flags->from,
                   "First time wanted, in UTC: '14:00', 'yesterday 14:00', '-15m', "
                   "'2026-11-26 14:00', RFC 3339")
      ->type_name("TIME")
      ->group(group);
  command->add_option("--until", flags->until, "First time not wanted any more")
      ->type_name("TIME")
      ->group(group);
  command
      ->add_option("--service", flags->services,
                   "Of this service (service.name of the resource); may be given again")
      ->allow_extra_args(false)
      ->type_name("NAME")
      ->group(group);
  command
      ->add_flag("--errors", flags->wants_errors,
                 "Log records of severity ERROR or higher, spans with status ERROR")
      ->group(group);
  command
      ->add_option("--min-severity", flags->min_severity,
                   "Log records of at least this severity: trace, debug, info, warn, error, fatal")
      ->type_name("SEVERITY")
      ->group(group);
  command
      ->add_option("--where", flags->where,
                   "A condition in OTTL, as in 'attributes[\"http.status_code\"] >= 500' "
                   "(docs/conditions.md); may be given again")
      ->allow_extra_args(false)
      ->type_name("CONDITION")
      ->group(group);
  command
      ->add_option("--grep", flags->grep,
                   "A regular expression (RE2) in the body of log records, the name of spans or "
                   "metrics")
      ->type_name("RE")
      ->group(group);
  command
      ->add_option("--trace", flags->traces,
                   "Of this trace, as 32 hexadecimal digits; may be given again")
      ->allow_extra_args(false)
      ->type_name("ID")
      ->group(group);
  command
      ->add_option("--trace-ids", flags->trace_ids_file,
                   "Of the traces whose ids stand in a file, one a line")
      ->type_name("FILE")
      ->group(group);
}

Result<FlaggedSelection> ReadSelectionFlags(const SelectionFlags& flags,
                                            std::span<const Signal> signals, int64_t now_nanos) {
  FlaggedSelection selection;
  ARROW_ASSIGN_OR_RAISE(selection.time, TimesOf(flags, now_nanos));
  selection.wishes.time = selection.time;
  for (const Signal signal : signals) {
    const auto index = static_cast<size_t>(signal);
    ARROW_ASSIGN_OR_RAISE(selection.where[index], ConditionOf(flags, signal));
    if (selection.where[index].has_value()) {
      ARROW_ASSIGN_OR_RAISE(selection.wishes.where[index],
                            select::Condition::Compile(*selection.where[index], signal,
                                                       select::TraceQuestions::kAllowed));
    }
  }
  selection.trace_ids = flags.traces;
  selection.trace_ids_file = flags.trace_ids_file.value_or("");
  ARROW_RETURN_NOT_OK(ReadTraceIds(flags, &selection.wishes));
  return selection;
}

std::string QuotedForCondition(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      quoted += fmt::format("\\x{:02x}", byte);
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

}  // namespace df::app
