#include "app/commands/checkpoint_command.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/commands/archive_flags.h"
#include "app/commands/checkpoint_document.h"
#include "app/commands/exit_codes.h"
#include "app/commands/offline_checkpoint.h"
#include "app/commands/text_table.h"
#include "app/standard_output.h"
#include "base/durable_file.h"
#include "base/text.h"
#include "base/units.h"
#include "otap/schema.h"

namespace df::app {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kCommand = "df_engine checkpoint";
constexpr int64_t kLargestDocument = 4096_MiB;

struct Flags {
  std::string action;
  std::string place;
  std::string file;
  std::string output = "-";
  bool is_json = false;
  bool replaces = false;
  bool is_sure = false;
};

int Fail(const Status& status) {
  const int code = FailCommand(kCommand, status);
  return status.IsKeyError() ? kExitNothingFound : code;
}

/// What a checkpoint says of one table.
struct TableCounts {
  int64_t files = 0;
  int64_t files_whole = 0;
  int64_t rows_delivered = 0;
  int64_t rows = 0;
};

/// Entries of the quarantine that nobody has dropped.
int64_t NumQuarantined(const lake::CheckpointState& state) {
  return std::count_if(state.quarantine.begin(), state.quarantine.end(),
                       [](const lake::QuarantineEntry& entry) { return !entry.is_dropped; });
}

using CountsByTable = std::array<TableCounts, otap::kTableCount>;

CountsByTable CountTables(const lake::CheckpointState& state) {
  CountsByTable tables;
  for (const lake::DeliveredFile& file : state.files) {
    if (!file.is_whole && file.rows.empty()) {
      continue;  // it is known for what is in quarantine
    }
    TableCounts& counts = tables[otap::TableIndex(file.id.table)];
    ++counts.files;
    counts.files_whole += file.is_whole ? 1 : 0;
    counts.rows_delivered += file.is_whole ? file.num_rows : file.rows.num_rows();
    counts.rows += file.num_rows;
  }
  return tables;
}

/// Calls visit(signal, table, counts) for every table of records of which something was delivered.
template <typename Visit>
void VisitTables(const CountsByTable& tables, Visit visit) {
  for (const otap::Signal signal : otap::kAllSignals) {
    for (const otap::TableInfo& table : otap::AllTables()) {
      const TableCounts& counts = tables[otap::TableIndex(table.kind)];
      if (table.is_root() && table.has_signal(signal) && counts.files > 0) {
        visit(otap::Name(signal), table.directory, counts);
      }
    }
  }
}

double SecondsOf(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

std::string ShowSeconds(std::chrono::nanoseconds duration) {
  return FormatDuration(std::chrono::floor<std::chrono::seconds>(duration));
}

/// A line for each process that shares the checkpoint, and for each file that it has.
std::string TextOf(const std::vector<lake::LeaseHolder>& holders) {
  std::string text;
  for (const lake::LeaseHolder& holder : holders) {
    const std::string renewed =
        holder.renewed_ago.has_value()
            ? fmt::format("renewed {} ago", ShowSeconds(*holder.renewed_ago))
            : "not renewed since the machine was started";
    text += fmt::format("  shared by  process {}: {} of {}{}, {}\n", holder.process,
                        ShowCountOf(std::ssize(holder.leases), "lease"), ShowSeconds(holder.ttl),
                        holder.is_expired ? ", expired" : "", renewed);
    for (const lake::LeaseFacts& lease : holder.leases) {
      text += fmt::format("    {}, for {}, token {}\n", PrintableText(lease.path),
                          ShowSeconds(lease.held_for), lease.token);
    }
  }
  return text;
}

Json JsonOf(const std::vector<lake::LeaseHolder>& holders) {
  Json json = Json::array();
  for (const lake::LeaseHolder& holder : holders) {
    Json leases = Json::array();
    for (const lake::LeaseFacts& lease : holder.leases) {
      leases.push_back({{"file", lease.path},
                        {"token", lease.token},
                        {"held_seconds", SecondsOf(lease.held_for)}});
    }
    Json one = {{"process", holder.process},
                {"ttl_seconds", SecondsOf(holder.ttl)},
                {"renewed_seconds_ago", nullptr},
                {"expired", holder.is_expired},
                {"leases", std::move(leases)}};
    if (holder.renewed_ago.has_value()) {
      one["renewed_seconds_ago"] = SecondsOf(*holder.renewed_ago);
    }
    json.push_back(std::move(one));
  }
  return json;
}

std::string TextOf(const CheckpointPlace& place, const lake::CheckpointState& state,
                   const std::vector<lake::LeaseHolder>& holders) {
  const bool has_subject = !state.subject.base.empty();
  const int64_t num_quarantined = NumQuarantined(state);
  std::string text = fmt::format(
      "checkpoint {}, format version {}\n"
      "  base       {}\n"
      "  selection  {}\n"
      "  last save  {}\n"
      "  quarantine {}\n",
      place.Show(), lake::Checkpoint::kVersion,
      has_subject ? PrintableText(state.subject.base) : "none: no replay has begun it",
      !has_subject                      ? "none"
      : state.subject.selection.empty() ? "everything"
                                        : PrintableText(state.subject.selection),
      state.saved_unix_nano.has_value() ? ShowTime(*state.saved_unix_nano) : "not known",
      num_quarantined == 1 ? "1 entry" : ShowCount(num_quarantined) + " entries");
  text += TextOf(holders);
  TextTable table({{"SIGNAL"},
                   {"TABLE"},
                   {"FILES", true},
                   {"WHOLE", true},
                   {"DELIVERED", true},
                   {"OF RECORDS", true}});
  bool has_rows = false;
  VisitTables(CountTables(state),
              [&](std::string_view signal, std::string_view name, const TableCounts& counts) {
                has_rows = true;
                table.Add({std::string(signal), std::string(name), ShowCount(counts.files),
                           ShowCount(counts.files_whole), ShowCount(counts.rows_delivered),
                           ShowCount(counts.rows)});
              });
  return text + (has_rows ? table.ToText() : "nothing was delivered\n");
}

std::string JsonOf(const CheckpointPlace& place, const lake::CheckpointState& state,
                   const std::vector<lake::LeaseHolder>& holders) {
  Json tables = Json::array();
  VisitTables(CountTables(state),
              [&](std::string_view signal, std::string_view name, const TableCounts& counts) {
                tables.push_back({{"signal", signal},
                                  {"table", name},
                                  {"files", counts.files},
                                  {"files_whole", counts.files_whole},
                                  {"rows_delivered", counts.rows_delivered},
                                  {"rows", counts.rows}});
              });
  Json json = {{"checkpoint", (fs::path(place.directory) / place.name).string()},
               {"version", lake::Checkpoint::kVersion},
               {"base", nullptr},
               {"selection", nullptr},
               {"saved", nullptr},
               {"quarantined", NumQuarantined(state)},
               {"holders", JsonOf(holders)},
               {"tables", std::move(tables)}};
  if (!state.subject.base.empty()) {
    json["base"] = state.subject.base;
    json["selection"] = state.subject.selection;
  }
  if (state.saved_unix_nano.has_value()) {
    json["saved"] = ShowTime(*state.saved_unix_nano);
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

int Show(const CheckpointPlace& place, const Flags& flags) {
  const auto opened = OpenToRead(place);
  if (!opened.ok()) {
    return Fail(opened.status());
  }
  const auto holders = opened->checkpoint->Holders();
  return !holders.ok() ? Fail(holders.status())
                       : PrintAnswer(flags.is_json ? JsonOf(place, opened->state, *holders)
                                                   : TextOf(place, opened->state, *holders));
}

int Export(const CheckpointPlace& place, const Flags& flags) {
  const auto opened = OpenOffline(place);
  if (!opened.ok()) {
    return Fail(opened.status());
  }
  if (opened->state.subject.base.empty()) {
    return Fail(Status::Invalid(
        fmt::format("{}: no replay has begun it: there is nothing to export", place.Show())));
  }
  const auto document = WriteCheckpointDocument(opened->state);
  if (!document.ok()) {
    return Fail(document.status());
  }
  if (flags.output == "-") {
    return PrintAnswer(*document);
  }
  const Status written = ReplaceFile(&SystemFileCalls(), flags.output, *document);
  return written.ok() ? kExitClean : Fail(written);
}

Result<std::string> ReadDocument(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::is_regular_file(status)) {
    return Status::Invalid(fmt::format("'{}' {}", PrintableText(path),
                                       fs::exists(status) ? "is no file" : "is not there"));
  }
  if (const auto size = fs::file_size(path, error);
      !error && size > static_cast<uint64_t>(kLargestDocument)) {
    return Status::Invalid(fmt::format("'{}': found {} bytes, expected {} at most",
                                       PrintableText(path), size, kLargestDocument));
  }
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  return file.is_open() && !file.bad()
             ? Result<std::string>(std::move(text))
             : Status::IOError(fmt::format("'{}' cannot be read", PrintableText(path)));
}

int Import(const CheckpointPlace& place, const Flags& flags) {
  const auto text = ReadDocument(flags.file);
  if (!text.ok()) {
    return Fail(text.status());
  }
  const auto state = ReadCheckpointDocument(*text);
  if (!state.ok()) {
    return Fail(state.status().WithMessage(
        fmt::format("'{}': {}", PrintableText(flags.file), state.status().message())));
  }
  const auto opened = OpenOrMakeOffline(place);
  if (!opened.ok()) {
    return Fail(opened.status());
  }
  if (!opened->state.subject.base.empty() && !flags.replaces) {
    return Fail(Status::Invalid(
        fmt::format("{} is there, and of '{}'; import under another name, or give --replace",
                    place.Show(), PrintableText(opened->state.subject.base))));
  }
  const CheckpointCounts after = CountDelivered(*state);
  Json record = AuditRecord("import", CountDelivered(opened->state), after);
  record["from"] = flags.file;
  const Status status = ChangeOnRecord(*opened->checkpoint, record,
                                       [&] { return opened->checkpoint->Replace(*state); });
  return status.ok() ? PrintAnswer(fmt::format("imported into {}: {} in {} were delivered\n",
                                               place.Show(), ShowCountOf(after.rows, "record"),
                                               ShowCountOf(after.files, "file")))
                     : Fail(status);
}

int Reset(const CheckpointPlace& place, const Flags& flags) {
  const auto opened = OpenOffline(place);
  if (!opened.ok()) {
    return Fail(opened.status());
  }
  const CheckpointCounts before = CountDelivered(opened->state);
  const std::string delivered = fmt::format("{} in {}", ShowCountOf(before.rows, "record"),
                                            ShowCountOf(before.files, "file"));
  const Status sure = Confirm(
      fmt::format("Forget that {} were delivered? The next replay with {} sends them again.",
                  delivered, place.Show()),
      flags.is_sure);
  if (!sure.ok()) {
    return Fail(sure);
  }
  const Status status = ChangeOnRecord(*opened->checkpoint, AuditRecord("reset", before, {}),
                                       [&] { return opened->checkpoint->Remove(); });
  return status.ok()
             ? PrintAnswer(fmt::format("reset {}: {} are sent again\n", place.Show(), delivered))
             : Fail(status);
}

struct Action {
  std::string_view name;
  std::string_view arguments;  ///< as the help shows them
  std::string_view flags;      ///< those that it reads, each behind a space
  std::string_view summary;
  int (*run)(const CheckpointPlace& place, const Flags& flags);
};

constexpr auto kActions = std::to_array<Action>({
    {"show", "DIR/NAME", " --json", "what it is of, what was delivered, and who shares it", Show},
    {"export", "DIR/NAME", " --output", "write it as JSON, with a digest", Export},
    {"import", "DIR/NAME FILE", " --replace", "bring back what export has written", Import},
    {"reset", "DIR/NAME", " --yes", "remove it: everything is sent again", Reset},
});

std::string Footer() {
  std::string text = "Actions:\n";
  for (const Action& action : kActions) {
    text += fmt::format("  {:<21}  {}\n", fmt::format("{} {}", action.name, action.arguments),
                        action.summary);
  }
  return text +
         "\nA checkpoint that a replay has is left alone; one that is shared can be shown. What is "
         "changed is recorded in "
         "NAME.audit.jsonl beside it.\n"
         "Exit codes: 0 well, 1 failed or a replay has it, 2 usage or a wrong file, 5 no such "
         "checkpoint.\n";
}

void AddFlags(CLI::App* command, Flags* flags) {
  command->add_option("ACTION", flags->action, "What is to be done, see below")
      ->required()
      ->type_name("");
  command
      ->add_option("CHECKPOINT", flags->place,
                   "DIR/NAME, as replay --checkpoint takes it: the folder and the name in it")
      ->required()
      ->type_name("");
  command->add_option("FILE", flags->file, "import: what export has written")->type_name("");
  command->add_flag("--json", flags->is_json, "show: print JSON (docs/commands.md)");
  command->add_option("-o,--output", flags->output, "export: the file to write; -: stdout")
      ->type_name("FILE")
      ->capture_default_str();
  command->add_flag("--replace", flags->replaces, "import: replace a checkpoint that is there");
  command->add_flag("--yes", flags->is_sure, "reset: do not ask");
  command->footer(Footer);
}

/// Errors: Invalid, with what was meant.
Result<const Action*> FindAction(const CLI::App& command, const Flags& flags) {
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
                                           ? "; 'df_engine checkpoint --help' lists them"
                                           : fmt::format("; did you mean '{}'?", nearest)));
  }
  const bool wants_file = action->arguments.ends_with("FILE");
  if (wants_file == flags.file.empty()) {
    return Status::Invalid(
        fmt::format("usage: {} {} {}", kCommand, action->name, action->arguments));
  }
  for (const std::string flag : {"--json", "--output", "--replace", "--yes"}) {
    if (command.count(flag) > 0 &&
        (std::string(action->flags) + " ").find(" " + flag + " ") == std::string::npos) {
      return Status::Invalid(fmt::format("{}: '{}' does not take it", flag, action->name));
    }
  }
  return &*action;
}

}  // namespace

int CheckpointCommand(int argc, char** argv) {
  CLI::App command("Looks at the checkpoint of a replay, moves it, or begins it anew.", kCommand);
  Flags flags;
  AddFlags(&command, &flags);
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  const auto action = FindAction(command, flags);
  if (!action.ok()) {
    return Fail(action.status());
  }
  const auto place = ParseCheckpointPlace(flags.place);
  if (!place.ok()) {
    return Fail(place.status());
  }
  return (*action)->run(*place, flags);
}

}  // namespace df::app
