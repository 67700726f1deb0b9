#include "app/commands/quarantine_command.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/commands/archive_flags.h"
#include "app/commands/exit_codes.h"
#include "app/commands/offline_checkpoint.h"
#include "app/commands/text_table.h"
#include "app/standard_output.h"
#include "base/text.h"
#include "lake/ledger/quarantine.h"
#include "otap/schema.h"

namespace df::app {
namespace {

using Json = nlohmann::ordered_json;
using lake::QuarantineEntry;

constexpr const char* kCommand = "df_engine quarantine";
constexpr size_t kMostNumbers = 1000;  ///< of entries, in a line of the audit
constexpr size_t kWidestReason = 60;   ///< in a table

struct Flags {
  std::string action;
  std::string place;
  std::vector<std::string> numbers;
  bool wants_all = false;
  bool is_json = false;
};

int Fail(const Status& status) {
  const int code = FailCommand(kCommand, status);
  return status.IsKeyError() ? kExitNothingFound : code;
}

/// Returns the entries that the command line names, in their order. Errors: Invalid for what is no
/// number; KeyError for a number that is not there.
Result<std::vector<QuarantineEntry>> Choose(const std::vector<QuarantineEntry>& all,
                                            const Flags& flags) {
  if (flags.wants_all) {
    // What was dropped stays so, unless it is named by its number.
    std::vector<QuarantineEntry> chosen;
    std::copy_if(all.begin(), all.end(), std::back_inserter(chosen),
                 [&flags](const QuarantineEntry& entry) {
                   return flags.action == "show" || !entry.is_dropped;
                 });
    return chosen;
  }
  std::set<int64_t> numbers;
  for (const std::string& text : flags.numbers) {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) {
      return Status::Invalid(
          fmt::format("found '{}', expected the number of an entry", PrintableText(text)));
    }
    numbers.insert(number);
  }
  std::vector<QuarantineEntry> chosen;
  for (const QuarantineEntry& entry : all) {
    if (numbers.erase(entry.number) > 0) {
      chosen.push_back(entry);
    }
  }
  return numbers.empty() ? Result<std::vector<QuarantineEntry>>(std::move(chosen))
                         : Status::KeyError(fmt::format("there is no entry {}", *numbers.begin()));
}

/// How many records an entry is of, for people.
std::string ShowRecords(const QuarantineEntry& entry) {
  return entry.rows.empty() ? "the file" : ShowCount(entry.rows.num_rows());
}

Json ToJson(const QuarantineEntry& entry) {
  Json rows = Json::array();
  entry.rows.VisitRuns([&](int row_group, int64_t first, int64_t count) {
    rows.push_back({{"row_group", row_group}, {"first_row", first}, {"rows", count}});
  });
  Json json = {{"number", entry.number},
               {"cause", lake::Name(entry.cause)},
               {"table", otap::GetTable(entry.table).directory},
               {"file", entry.path},
               {"records", nullptr},
               {"ranges", std::move(rows)},
               {"reason", entry.reason},
               {"since", ShowTime(entry.since_unix_nano)},
               {"dropped", entry.is_dropped}};
  if (!entry.rows.empty()) {
    json["records"] = entry.rows.num_rows();
  }
  return json;
}

int PrintJson(const CheckpointPlace& place, const std::vector<QuarantineEntry>& entries) {
  Json json = {{"checkpoint", place.directory + "/" + place.name}, {"entries", Json::array()}};
  for (const QuarantineEntry& entry : entries) {
    json["entries"].push_back(ToJson(entry));
  }
  return PrintAnswer(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

int List(const CheckpointPlace& place, const OpenedCheckpoint& opened,
         const std::vector<QuarantineEntry>& /*chosen*/, const Flags& flags) {
  const std::vector<QuarantineEntry>& entries = opened.state.quarantine;
  if (flags.is_json) {
    return PrintJson(place, entries);
  }
  if (entries.empty()) {
    return PrintAnswer("nothing is in quarantine\n");
  }
  TextTable table(
      {{"NUMBER", true}, {"SINCE"}, {"CAUSE"}, {"RECORDS", true}, {"FILE"}, {"REASON"}});
  for (const QuarantineEntry& entry : entries) {
    std::string reason = PrintableText(entry.reason);
    if (reason.size() > kWidestReason) {
      reason = PrintableText(reason.substr(0, kWidestReason)) + "..";
    }
    table.Add({std::to_string(entry.number), ShowTime(entry.since_unix_nano),
               fmt::format("{}{}", lake::Name(entry.cause), entry.is_dropped ? ", dropped" : ""),
               ShowRecords(entry), PrintableText(entry.path), std::move(reason)});
  }
  return PrintAnswer(table.ToText());
}

int Show(const CheckpointPlace& place, const OpenedCheckpoint& /*opened*/,
         const std::vector<QuarantineEntry>& chosen, const Flags& flags) {
  if (flags.is_json) {
    return PrintJson(place, chosen);
  }
  std::string text;
  for (const QuarantineEntry& entry : chosen) {
    text +=
        fmt::format("entry {}: {}{}\n  since    {}\n  file     {}\n  records  {}\n  reason   {}\n",
                    entry.number, lake::Name(entry.cause), entry.is_dropped ? ", dropped" : "",
                    ShowTime(entry.since_unix_nano), PrintableText(entry.path), ShowRecords(entry),
                    PrintableText(entry.reason));
    entry.rows.VisitRuns([&](int row_group, int64_t first, int64_t count) {
      text += fmt::format("  row group {} rows {} to {}\n", row_group, first, first + count - 1);
    });
  }
  return PrintAnswer(text);
}

/// The audit record of a change of `chosen`, after which `num_after` entries are in quarantine.
Json RecordOf(std::string_view action, const OpenedCheckpoint& opened,
              const std::vector<QuarantineEntry>& chosen, int64_t num_after) {
  const CheckpointCounts counts = CountDelivered(opened.state);
  Json record = AuditRecord(action, counts, counts);
  record["quarantined_before"] =
      std::count_if(opened.state.quarantine.begin(), opened.state.quarantine.end(),
                    [](const QuarantineEntry& entry) { return !entry.is_dropped; });
  record["quarantined_after"] = num_after;
  record["entries"] = chosen.size();
  for (size_t i = 0; i < std::min(chosen.size(), kMostNumbers); ++i) {
    record["numbers"].push_back(chosen[i].number);
  }
  return record;
}

int64_t NumLeft(const OpenedCheckpoint& opened, const std::vector<QuarantineEntry>& chosen) {
  std::set<int64_t> numbers;
  for (const QuarantineEntry& entry : chosen) {
    numbers.insert(entry.number);
  }
  return std::count_if(opened.state.quarantine.begin(), opened.state.quarantine.end(),
                       [&](const QuarantineEntry& entry) {
                         return !entry.is_dropped && !numbers.contains(entry.number);
                       });
}

int Retry(const CheckpointPlace& place, const OpenedCheckpoint& opened,
          const std::vector<QuarantineEntry>& chosen, const Flags& /*flags*/) {
  std::vector<int64_t> numbers;
  for (const QuarantineEntry& entry : chosen) {
    numbers.push_back(entry.number);
  }
  const Status status =
      ChangeOnRecord(*opened.checkpoint, RecordOf("retry", opened, chosen, NumLeft(opened, chosen)),
                     [&] { return opened.checkpoint->RemoveFromQuarantine(numbers); });
  return status.ok() ? PrintAnswer(fmt::format("{}: the next replay tries {} again\n", place.Show(),
                                               ShowCountOf(std::ssize(numbers), "entry")))
                     : Fail(status);
}

int Drop(const CheckpointPlace& place, const OpenedCheckpoint& opened,
         const std::vector<QuarantineEntry>& chosen, const Flags& /*flags*/) {
  std::vector<QuarantineEntry> dropped = chosen;
  for (QuarantineEntry& entry : dropped) {
    entry.is_dropped = true;
  }
  const Status status =
      ChangeOnRecord(*opened.checkpoint, RecordOf("drop", opened, chosen, NumLeft(opened, chosen)),
                     [&] { return opened.checkpoint->ChangeQuarantine(dropped); });
  return status.ok() ? PrintAnswer(fmt::format(
                           "{}: dropped {}: they are not sent, and no problem any more\n",
                           place.Show(), ShowCountOf(std::ssize(dropped), "entry")))
                     : Fail(status);
}

struct Action {
  std::string_view name;
  std::string_view arguments;  ///< as the help shows them
  bool is_of_entries = false;  ///< numbers or --all say which
  bool has_json = false;
  std::string_view summary;
  int (*run)(const CheckpointPlace& place, const OpenedCheckpoint& opened,
             const std::vector<QuarantineEntry>& chosen, const Flags& flags);
};

constexpr auto kActions = std::to_array<Action>({
    {"list", "DIR/NAME", false, true, "what is in quarantine, and why", List},
    {"show", "DIR/NAME NUMBER..", true, true, "one entry with all that is known", Show},
    {"retry", "DIR/NAME NUMBER..", true, false, "have the next replay try it again", Retry},
    {"drop", "DIR/NAME NUMBER..", true, false, "give it up: nobody misses it any more", Drop},
});

std::string Footer() {
  std::string text = "Actions:\n";
  for (const Action& action : kActions) {
    text += fmt::format("  {:<24}  {}\n", fmt::format("{} {}", action.name, action.arguments),
                        action.summary);
  }
  return text +
         "\nWhat is in quarantine is not sent by any replay with the checkpoint, and each of them "
         "ends with 4.\nWhat is changed is recorded in NAME.audit.jsonl beside it.\n"
         "Exit codes: 0 well, 1 failed or a replay has the checkpoint, 2 usage, 5 no such "
         "checkpoint or entry.\n";
}

/// Errors: Invalid, with what was meant.
Result<const Action*> FindAction(const Flags& flags) {
  const auto action = std::find_if(kActions.begin(), kActions.end(), [&flags](const Action& known) {
    return known.name == flags.action;
  });
  if (action == kActions.end()) {
    std::vector<std::string> names;
    for (const Action& known : kActions) {
      names.emplace_back(known.name);
    }
    const std::string nearest = NearestName(flags.action, names);
    return Status::Invalid(fmt::format("unknown action '{}'{}", PrintableText(flags.action),
                                       nearest.empty()
                                           ? "; 'df_engine quarantine --help' lists them"
                                           : fmt::format("; did you mean '{}'?", nearest)));
  }
  const bool names_entries = flags.wants_all || !flags.numbers.empty();
  if (action->is_of_entries != names_entries || (flags.wants_all && !flags.numbers.empty())) {
    return Status::Invalid(fmt::format("usage: {} {} {}{}", kCommand, action->name,
                                       action->arguments,
                                       action->is_of_entries ? ", or --all" : ""));
  }
  if (flags.is_json && !action->has_json) {
    return Status::Invalid(fmt::format("--json: '{}' does not take it", action->name));
  }
  return &*action;
}

}  // namespace

int QuarantineCommand(int argc, char** argv) {
  CLI::App command(
      "Shows what replays with a checkpoint have given up, has it tried again, or drops it.",
      kCommand);
  Flags flags;
  command.add_option("ACTION", flags.action, "What is to be done, see below")
      ->required()
      ->type_name("");
  command
      .add_option("CHECKPOINT", flags.place,
                  "DIR/NAME, as replay --checkpoint takes it: the folder and the name in it")
      ->required()
      ->type_name("");
  command.add_option("NUMBER", flags.numbers, "show, retry, drop: entries, as list numbers them")
      ->type_name("");
  command.add_flag("--all", flags.wants_all,
                   "The same: every entry; of retry and drop those that are not dropped");
  command.add_flag("--json", flags.is_json, "list, show: print JSON (docs/commands.md)");
  command.footer(Footer);
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  const auto action = FindAction(flags);
  if (!action.ok()) {
    return Fail(action.status());
  }
  const auto place = ParseCheckpointPlace(flags.place);
  if (!place.ok()) {
    return Fail(place.status());
  }
  const auto opened = OpenOffline(*place);
  if (!opened.ok()) {
    return Fail(opened.status());
  }
  const auto chosen = Choose(opened->state.quarantine, flags);
  return chosen.ok() ? (*action)->run(*place, *opened, *chosen, flags) : Fail(chosen.status());
}

}  // namespace df::app
