#include "app/commands/count_command.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/commands/archive_flags.h"
#include "app/commands/exit_codes.h"
#include "app/commands/group_counts.h"
#include "app/commands/signal_names.h"
#include "app/commands/text_table.h"
#include "app/commands/value_json.h"
#include "app/standard_output.h"
#include "base/text.h"

namespace df::app {
namespace {

constexpr std::string_view kName = "df_engine count";

struct Flags {
  ArchiveFlags archive;
  SelectionFlags selection;
  std::string signal;
  std::vector<std::string> by;
  std::string every;
};

Result<std::vector<GroupField>> FieldsOf(const Flags& flags, otap::Signal signal) {
  std::vector<GroupField> fields;
  if (!flags.every.empty()) {
    auto field = PeriodField(flags.every);
    if (!field.ok()) {
      return Status::Invalid("--every: " + field.status().message());
    }
    fields.push_back(*std::move(field));
  }
  for (const std::string& name : flags.by) {
    auto field = FindGroupField(name, signal);
    if (!field.ok()) {
      return Status::Invalid("--by: " + field.status().message());
    }
    fields.push_back(*std::move(field));
  }
  return fields;
}

/// What a group is called in a table: texts without their quotes.
std::string PlainCell(const std::string& json) {
  if (json == "null") {
    return "-";
  }
  if (!json.starts_with('"')) {
    return json;
  }
  std::string plain;
  AppendLine(nlohmann::json::parse(json).get<std::string>(), &plain);
  return plain;
}

using Group = std::pair<std::vector<std::string>, int64_t>;

/// Periods in their order, all else by count.
std::vector<Group> Sorted(const GroupCounts& counts, const std::vector<GroupField>& fields) {
  std::vector<Group> groups(counts.groups().begin(), counts.groups().end());
  const bool has_period = std::any_of(fields.begin(), fields.end(), [](const GroupField& field) {
    return field.kind == GroupField::Kind::kPeriod;
  });
  if (!has_period) {
    std::stable_sort(groups.begin(), groups.end(),
                     [](const Group& a, const Group& b) { return a.second > b.second; });
  }
  return groups;
}

std::string UpperCase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string TableOf(const std::vector<Group>& groups, const std::vector<GroupField>& fields,
                    otap::Signal signal) {
  std::vector<TextTable::Column> columns;
  for (const GroupField& field : fields) {
    std::string title;
    AppendLine(field.name, &title);
    columns.push_back({UpperCase(std::move(title))});
  }
  columns.push_back({UpperCase(std::string(ItemsName(signal))), true});
  TextTable table(std::move(columns));
  for (const auto& [key, count] : groups) {
    std::vector<std::string> row;
    for (const std::string& value : key) {
      row.push_back(PlainCell(value));
    }
    row.push_back(ShowCount(count));
    table.Add(std::move(row));
  }
  return table.ToText();
}

/// An object for each group, on a line.
std::string JsonOf(const std::vector<Group>& groups, const std::vector<GroupField>& fields,
                   otap::Signal signal) {
  std::string text;
  for (const auto& [key, count] : groups) {
    text += fmt::format("{{\"signal\":\"{}\"", otap::Name(signal));
    for (size_t i = 0; i < key.size(); ++i) {
      text += ',';
      AppendJson(select::MakeText(fields[i].name), &text);
      text += ':' + key[i];
    }
    text += fmt::format(",\"count\":{}}}\n", count);
  }
  return text;
}

/// Tells whether footers alone know how many there are.
bool IsCountedByFooters(const Archive& archive, const Flags& flags) {
  const select::Wishes& wishes = archive.options().wishes;
  return flags.by.empty() && flags.every.empty() && wishes.time.is_everything() &&
         !wishes.trace_ids.has_value() &&
         std::none_of(wishes.where.begin(), wishes.where.end(),
                      [](const auto& where) { return where.has_value(); });
}

int64_t NumItems(const Archive& archive, otap::Signal signal) {
  int64_t num_rows = 0;
  for (const RowGroupTimes& group : archive.RowGroupsOf(signal)) {
    num_rows += group.num_rows;
  }
  return num_rows;
}

/// Returns the signals whose items must be read to be counted. A data point whose metric is missing
/// is not an item, and only reading shows that.
std::vector<otap::Signal> ToBeRead(const Archive& archive, const Flags& flags) {
  const bool is_counted = IsCountedByFooters(archive, flags);
  std::vector<otap::Signal> signals;
  for (const otap::Signal signal : archive.options().signals) {
    if (!is_counted || signal == otap::Signal::kMetrics) {
      signals.push_back(signal);
    }
  }
  return signals;
}

using Sums = std::array<int64_t, otap::kAllSignals.size()>;

Result<Sums> SumsOf(Archive* archive, const Flags& flags) {
  Sums sums{};
  const std::vector<otap::Signal> read = ToBeRead(*archive, flags);
  for (const otap::Signal signal : archive->options().signals) {
    sums[static_cast<size_t>(signal)] =
        std::find(read.begin(), read.end(), signal) == read.end() ? NumItems(*archive, signal) : 0;
  }
  if (read.empty()) {
    return sums;
  }
  std::vector<Sums> by_thread(static_cast<size_t>(archive->options().num_threads));
  const auto add = [&](const lake::Payload& payload, size_t thread) {
    by_thread[thread][static_cast<size_t>(payload.batch->signal())] += payload.batch->num_items();
    return Status::OK();
  };
  ARROW_RETURN_NOT_OK(archive->Read({}, add, read));
  for (const Sums& thread : by_thread) {
    for (size_t i = 0; i < sums.size(); ++i) {
      sums[i] += thread[i];
    }
  }
  return sums;
}

/// Counts of several signals: one number each.
int CountSignals(Archive* archive, const Flags& flags) {
  const auto sums = SumsOf(archive, flags);
  if (!sums.ok()) {
    return FailCommand(std::string(kName), sums.status());
  }
  TextTable table({{"SIGNAL"}, {"ITEMS", true}});
  std::string json;
  int64_t all = 0;
  for (const otap::Signal signal : archive->options().signals) {
    const int64_t count = (*sums)[static_cast<size_t>(signal)];
    all += count;
    table.Add({std::string(ItemsName(signal)), ShowCount(count)});
    json += fmt::format("{{\"signal\":\"{}\",\"count\":{}}}\n", otap::Name(signal), count);
  }
  const int code = PrintAnswer(flags.archive.is_json ? json : table.ToText());
  const bool is_incomplete = PrintProblems(std::string(kName), *archive, flags.archive.is_quiet);
  return code != kExitClean ? code
         : is_incomplete    ? kExitIncomplete
         : all == 0         ? kExitNothingFound
                            : kExitClean;
}

int CountGroups(Archive* archive, const Flags& flags, const std::vector<GroupField>& fields) {
  const otap::Signal signal = archive->options().signals.front();
  const auto counts = CountBy(archive, fields);
  if (!counts.ok()) {
    return FailCommand(std::string(kName), counts.status());
  }
  const std::vector<Group> groups = Sorted(*counts, fields);
  const int code = PrintAnswer(flags.archive.is_json ? JsonOf(groups, fields, signal)
                                                     : TableOf(groups, fields, signal));
  const bool is_incomplete = PrintProblems(std::string(kName), *archive, flags.archive.is_quiet);
  return code != kExitClean         ? code
         : is_incomplete            ? kExitIncomplete
         : counts->num_items() == 0 ? kExitNothingFound
                                    : kExitClean;
}

int Count(const Flags& flags) {
  const std::string name(kName);
  std::vector<otap::Signal> signals;
  if (!flags.signal.empty()) {
    const auto signal = FindSignalName(flags.signal);
    if (!signal.ok()) {
      return FailCommand(name, signal.status());
    }
    signals = {*signal};
  }
  const bool has_fields = !flags.by.empty() || !flags.every.empty();
  const auto path = ResolvePath(flags.archive.path);
  if (path.ok() && signals.empty() && path->signals.size() == 1) {
    signals = path->signals;
  }
  if (has_fields && signals.empty()) {
    return FailCommand(name, Status::Invalid("--by and --every count one signal: name logs, spans "
                                             "or points behind PATH"));
  }
  std::vector<GroupField> fields;
  if (has_fields) {
    auto found = FieldsOf(flags, signals.front());
    if (!found.ok()) {
      return FailCommand(name, found.status());
    }
    fields = *std::move(found);
  }
  auto archive = OpenArchive(flags.archive, flags.selection, signals);
  if (!archive.ok()) {
    return FailCommand(name, archive.status());
  }
  return has_fields ? CountGroups(archive->get(), flags, fields)
                    : CountSignals(archive->get(), flags);
}

}  // namespace

int CountCommand(int argc, char** argv) {
  CLI::App command("Counts log records, spans and data points of an archive.", std::string(kName));
  Flags flags;
  AddArchiveFlags(&command, &flags.archive);
  command.add_option("SIGNAL", flags.signal, "logs, spans or points; all of them without one")
      ->type_name("");
  AddSelectionFlags(&command, &flags.selection);
  command
      .add_option("--by", flags.by,
                  "Count by a field: service, severity, status, name, minute, hour, day, or an "
                  "expression like 'attributes[\"http.route\"]' (docs/conditions.md); may be given "
                  "again")
      ->allow_extra_args(false)
      ->type_name("FIELD");
  command.add_option("--every", flags.every, "Count by periods of time, like 5m")
      ->type_name("DURATION");
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  return Count(flags);
}

}  // namespace df::app
