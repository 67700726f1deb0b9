#include "app/commands/inspect_command.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "app/commands/archive_flags.h"
#include "app/commands/archive_summary.h"
#include "app/commands/exit_codes.h"
#include "app/commands/inspect_groups.h"
#include "app/commands/moment.h"
#include "app/commands/signal_names.h"
#include "app/commands/text_table.h"
#include "app/commands/value_json.h"
#include "app/standard_output.h"
#include "base/text.h"

namespace df::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kName = "df_engine inspect";

/// Files of resources that are looked at for the names of services unless --deep is given.
constexpr int64_t kMostResourceFiles = 2'000;
/// Files are small when they are more than these, and smaller on average.
constexpr int64_t kManyFiles = 100;
constexpr int64_t kSmallFile = 1 << 20;
/// Services that a line names.
constexpr size_t kMostServices = 12;

struct Flags {
  ArchiveFlags archive;
  std::string by;
  bool is_deep = false;
  bool shows_schemas = false;
};

std::string Plain(const std::string& text) {
  std::string line;
  AppendLine(text, &line);
  return line;
}

std::string FirstOf(const std::optional<lake::EventTimeRange>& times) {
  return times.has_value() ? ShowMoment(times->least) : "unknown";
}

std::string LastOf(const std::optional<lake::EventTimeRange>& times) {
  return times.has_value() ? ShowMoment(times->most) : "unknown";
}

std::string WritersOf(const ArchiveSummary& summary) {
  std::vector<std::string> names;
  for (const auto& [writer, num_files] : summary.writers) {
    names.push_back(summary.writers.size() == 1
                        ? writer
                        : fmt::format("{} ({} files)", writer, ShowCount(num_files)));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string ServicesOf(const ArchiveSummary& summary) {
  std::vector<std::string> names;
  for (const std::string& service : summary.services) {
    if (names.size() < kMostServices) {
      names.push_back(Plain(service));
    }
  }
  std::string text = fmt::format("{}", fmt::join(names, " "));
  if (summary.services.size() > names.size()) {
    text += fmt::format(" and {} more", summary.services.size() - names.size());
  }
  return summary.has_all_services ? text : text + " (not all files were looked at: --deep)";
}

/// What is worth doing about it.
std::vector<std::string> HintsOf(const ArchiveSummary& summary) {
  std::vector<std::string> hints;
  if (summary.num_files > kManyFiles && summary.num_bytes / summary.num_files < kSmallFile) {
    hints.push_back(fmt::format(
        "{} files of {} on average: listing and footers cost more than the data. 'df_engine "
        "compact' makes fewer of them, and roll_when_older_than of exporter:parquet from the start",
        ShowCount(summary.num_files), FormatSize(summary.num_bytes / summary.num_files)));
  }
  for (const SignalSummary& signal : summary.signals) {
    if (signal.has_no_time) {
      hints.push_back(
          fmt::format("some {} have no time; times are of the others", ItemsName(signal.signal)));
    }
  }
  return hints;
}

/// What footers tell.
std::string TableOf(const ArchiveSummary& summary, const std::string& base) {
  std::string text = fmt::format("{}   {} in {}, {}, written by {}\n\n", Plain(base),
                                 ShowCountOf(summary.num_files, "file"),
                                 ShowCountOf(std::ssize(summary.partitions), "partition"),
                                 FormatSize(summary.num_bytes), WritersOf(summary));
  TextTable table(
      {{"SIGNAL"}, {"ITEMS", true}, {"FIRST"}, {"LAST"}, {"FILES", true}, {"SIZE", true}});
  for (const SignalSummary& signal : summary.signals) {
    table.Add({std::string(ItemsName(signal.signal)), ShowCount(signal.num_items),
               FirstOf(signal.times), LastOf(signal.times), ShowCount(signal.num_files),
               FormatSize(signal.num_bytes)});
  }
  return text + table.ToText();
}

/// What stands below the table.
std::string RestOf(const ArchiveSummary& summary, const std::vector<std::string>& holes,
                   const Flags& flags) {
  std::string text;
  if (!summary.services.empty()) {
    text += fmt::format("\nservices: {}\n", ServicesOf(summary));
  }
  if (!flags.archive.is_quiet) {
    std::vector<std::string> notes = HintsOf(summary);
    notes.insert(notes.end(), holes.begin(), holes.end());
    for (const std::string& note : notes) {
      text += "note: " + note + "\n";
    }
    const bool has_logs =
        !summary.signals.empty() && summary.signals.front().signal == otap::Signal::kLogs;
    text += fmt::format("next: df_engine {} {} -n 20\n",
                        summary.signals.empty() ? "inspect"
                        : has_logs              ? "logs"
                                                : ItemsName(summary.signals.front().signal),
                        Plain(flags.archive.path));
  }
  return text;
}

std::string PartitionsText(const ArchiveSummary& summary) {
  TextTable table({{"PARTITION"},
                   {"LOGS", true},
                   {"SPANS", true},
                   {"POINTS", true},
                   {"FIRST"},
                   {"LAST"},
                   {"FILES", true},
                   {"SIZE", true}});
  for (const PartitionSummary& partition : summary.partitions) {
    const auto items = [&](otap::Signal signal) {
      const auto found = partition.items.find(signal);
      return found == partition.items.end() ? "0" : ShowCount(found->second);
    };
    table.Add({partition.partition.empty() ? "(none)" : Plain(partition.partition),
               items(otap::Signal::kLogs), items(otap::Signal::kTraces),
               items(otap::Signal::kMetrics), FirstOf(partition.times), LastOf(partition.times),
               ShowCount(partition.num_files), FormatSize(partition.num_bytes)});
  }
  return table.ToText();
}

std::string TablesText(const ArchiveSummary& summary, bool shows_schemas) {
  TextTable table({{"TABLE"},
                   {"ROWS", true},
                   {"FILES", true},
                   {"ROW GROUPS", true},
                   {"SIZE", true},
                   {"SCHEMAS", true}});
  std::string schemas;
  for (const TableSummary& one : summary.tables) {
    const std::string name(otap::GetTable(one.table).directory);
    table.Add({name, ShowCount(one.num_rows), ShowCount(one.num_files),
               ShowCount(one.num_row_groups), FormatSize(one.num_bytes),
               one.schemas.empty() ? "?" : ShowCount(static_cast<int64_t>(one.schemas.size()))});
    for (const auto& [fingerprint, num_files] : one.schemas) {
      schemas += fmt::format("{} {}: {} files\n", name, fingerprint, ShowCount(num_files));
    }
  }
  return table.ToText() + (shows_schemas ? "\n" + schemas : "");
}

Json TimesJson(const std::optional<lake::EventTimeRange>& times, bool is_first) {
  if (!times.has_value()) {
    return nullptr;
  }
  std::string text = ShowMoment(is_first ? times->least : times->most);
  text[text.find(' ')] = 'T';
  return text;
}

Json TablesJson(const ArchiveSummary& summary) {
  Json tables = Json::array();
  for (const TableSummary& one : summary.tables) {
    tables.push_back({{"table", otap::GetTable(one.table).directory},
                      {"rows", one.num_rows},
                      {"files", one.num_files},
                      {"row_groups", one.num_row_groups},
                      {"bytes", one.num_bytes},
                      {"schemas", one.schemas}});
  }
  return tables;
}

Json PartitionsJson(const ArchiveSummary& summary) {
  Json partitions = Json::array();
  for (const PartitionSummary& one : summary.partitions) {
    Json items = Json::object();
    for (const auto& [signal, count] : one.items) {
      items[std::string(otap::Name(signal))] = count;
    }
    partitions.push_back({{"partition", one.partition},
                          {"items", std::move(items)},
                          {"first", TimesJson(one.times, true)},
                          {"last", TimesJson(one.times, false)},
                          {"files", one.num_files},
                          {"bytes", one.num_bytes}});
  }
  return partitions;
}

Result<ItemsByHour> FindHours(Archive* archive, const Flags& flags) {
  ItemsByHour by_hour;
  for (const otap::Signal signal : archive->options().signals) {
    AddHours(signal, archive->RowGroupsOf(signal), &by_hour);
  }
  if (flags.is_deep) {
    ARROW_RETURN_NOT_OK(ReadHours(archive, &by_hour));
  }
  return by_hour;
}

Result<ItemsByService> FindServices(Archive* archive, const ArchiveSummary& summary,
                                    const Flags& flags) {
  return flags.is_deep ? ReadItemsByService(archive) : Result<ItemsByService>(NamesOnly(summary));
}

/// What was asked for by a field: {"by_hour": ..} and so on.
Result<Json> GroupsJson(Archive* archive, const ArchiveSummary& summary, const Flags& flags) {
  if (flags.by == "partition") {
    return Json{{"by_partition", PartitionsJson(summary)}};
  }
  if (flags.by == "hour") {
    ARROW_ASSIGN_OR_RAISE(const ItemsByHour hours, FindHours(archive, flags));
    return Json{{"by_hour", HoursJson(hours)}};
  }
  if (flags.by == "service") {
    ARROW_ASSIGN_OR_RAISE(const ItemsByService services, FindServices(archive, summary, flags));
    return Json{{"by_service", ServicesJson(services)}};
  }
  return Json::object();
}

std::string JsonOf(const ArchiveSummary& summary, const Archive& archive, const Json& groups) {
  const auto holes = HolesOf(archive);
  Json signals = Json::object();
  for (const SignalSummary& signal : summary.signals) {
    const auto found = holes.find(signal.signal);
    signals[std::string(otap::Name(signal.signal))] = {
        {"items", signal.num_items},
        {"records", signal.num_records},
        {"first", TimesJson(signal.times, true)},
        {"last", TimesJson(signal.times, false)},
        {"some_without_time", signal.has_no_time},
        {"files", signal.num_files},
        {"bytes", signal.num_bytes},
        {"partitions", signal.num_partitions},
        {"holes", found == holes.end() ? Json::array() : HolesJson(found->second)}};
  }
  Json problems = Json::array();
  for (const lake::Problem& problem : archive.Report().problems) {
    problems.push_back(
        {{"kind", Name(problem.kind)}, {"message", problem.message}, {"count", problem.count}});
  }
  Json json = {{"base", archive.options().path.base}, {"files", summary.num_files},
               {"bytes", summary.num_bytes},          {"partitions", summary.partitions.size()},
               {"writers", summary.writers},          {"signals", std::move(signals)},
               {"services", summary.services},        {"all_services", summary.has_all_services},
               {"tables", TablesJson(summary)},       {"problems", std::move(problems)}};
  json.update(groups);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// Prints a line for each hour or service.
int PrintGroups(Archive* archive, const ArchiveSummary& summary, const Flags& flags) {
  if (flags.by == "service") {
    const auto services = FindServices(archive, summary, flags);
    if (!services.ok()) {
      return FailCommand(std::string(kName), services.status());
    }
    if (!flags.is_deep) {
      PrintRemark(flags.archive,
                  summary.has_all_services
                      ? "note: --deep reads the records and counts them"
                      : "note: not all files were looked at; --deep reads the records and counts "
                        "them");
    }
    return PrintAnswer(ServicesText(*services));
  }
  const auto hours = FindHours(archive, flags);
  if (!hours.ok()) {
    return FailCommand(std::string(kName), hours.status());
  }
  if (!hours->unplaced.empty()) {
    PrintRemark(flags.archive,
                "note: row groups of several hours, or with items that have no time, do not tell "
                "how many belong to which: --deep reads them");
  }
  for (const std::string& hole : DescribeHoles(HolesOf(*archive))) {
    PrintRemark(flags.archive, "note: " + hole);
  }
  return PrintAnswer(HoursText(*hours));
}

int Inspect(const Flags& flags) {
  const std::string name(kName);
  auto archive = OpenArchive(flags.archive, {}, {});
  if (!archive.ok()) {
    return FailCommand(name, archive.status());
  }
  ArchiveSummary summary = SummariseArchive(**archive);
  const auto read_services = [&] {
    ReadServices(archive->get(),
                 flags.is_deep ? std::numeric_limits<int64_t>::max() : kMostResourceFiles,
                 &summary);
  };
  if (flags.archive.is_json || (flags.by.empty() && !flags.shows_schemas)) {
    ReadTimes(archive->get(), &summary);
  }
  int code = kExitClean;
  if (flags.archive.is_json) {
    read_services();
    const auto groups = GroupsJson(archive->get(), summary, flags);
    code = groups.ok() ? PrintAnswer(JsonOf(summary, **archive, *groups))
                       : FailCommand(name, groups.status());
  } else if (summary.num_files > 0 && (flags.by == "hour" || flags.by == "service")) {
    if (flags.by == "service" && !flags.is_deep) {
      read_services();
    }
    code = PrintGroups(archive->get(), summary, flags);
  } else if (flags.by == "partition") {
    code = PrintAnswer(PartitionsText(summary));
  } else if (flags.by == "table" || flags.shows_schemas) {
    code = PrintAnswer(TablesText(summary, flags.shows_schemas));
  } else if (summary.num_files > 0) {
    // The table is there at once; the names of services take files to be opened.
    code = PrintAnswer(TableOf(summary, (*archive)->options().path.base));
    read_services();
    code = code == kExitClean
               ? PrintAnswer(RestOf(summary, DescribeHoles(HolesOf(**archive)), flags))
               : code;
  }
  const bool is_incomplete = PrintProblems(name, **archive, flags.archive.is_quiet);
  if (summary.num_files == 0 && !is_incomplete) {
    PrintRemark(flags.archive, fmt::format("{}: nothing found in '{}'", name,
                                           Plain((*archive)->options().path.base)));
  }
  return code != kExitClean       ? code
         : is_incomplete          ? kExitIncomplete
         : summary.num_files == 0 ? kExitNothingFound
                                  : kExitClean;
}

}  // namespace

int InspectCommand(int argc, char** argv) {
  CLI::App command(
      "Says what an archive holds, from footers, its first and last records and the names of "
      "services.",
      std::string(kName));
  Flags flags;
  AddArchiveFlags(&command, &flags.archive);
  command.add_option("--by", flags.by, "A line for each of these instead")
      ->check(CLI::IsMember({"partition", "table", "hour", "service"}).description(""))
      ->type_name("partition|table|hour|service");
  command.add_flag("--schemas", flags.shows_schemas,
                   "Which schemas the files of each table have (known with a cache)");
  command.add_flag(
      "--deep", flags.is_deep,
      "Look for services in all files of resources; with --by hour or service read the "
      "records, too, where footers do not tell");
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  return Inspect(flags);
}

}  // namespace df::app
