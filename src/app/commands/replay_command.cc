#include "app/commands/replay_command.h"

#include <array>
#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/commands/archive_flags.h"
#include "app/commands/destination.h"
#include "app/commands/exit_codes.h"
#include "app/commands/flat_convert.h"
#include "app/commands/item_source.h"
#include "app/commands/pipeline_flags.h"
#include "app/commands/pipeline_text.h"
#include "app/commands/resume_flags.h"
#include "app/commands/run_command.h"
#include "app/commands/signal_names.h"
#include "app/standard_output.h"
#include "base/text.h"
#include "config/environment.h"
#include "otlp/request_file.h"
#include "storage/store_uri.h"

namespace df::app {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Json SelectOf(const FlaggedSelection& selection, const ArchivePath& path) {
  Json select = Json::object();
  if (selection.time.from.has_value()) {
    select["time"]["from"] = fmt::format("{}ns", *selection.time.from);
  }
  if (selection.time.to.has_value()) {
    select["time"]["to"] = fmt::format("{}ns", *selection.time.to);
  }
  for (const otap::Signal signal : otap::kAllSignals) {
    if (const auto& where = selection.where[static_cast<size_t>(signal)]; where.has_value()) {
      select["where"][std::string(otap::Name(signal))] = config::EscapeReferences(*where);
    }
  }
  if (!selection.trace_ids.empty()) {
    select["trace_ids"] = selection.trace_ids;
  }
  if (!selection.trace_ids_file.empty()) {
    select["trace_ids_file"] = config::EscapeReferences(selection.trace_ids_file);
  }
  for (const std::string& pattern : path.partitions) {
    select["partitions"]["include"].push_back(config::EscapeReferences(pattern));
  }
  return select;
}

/// Files of OTLP as a source. Errors: Invalid for what only an archive can answer.
Result<NodeText> OtlpSourceOf(const PipelineFlags& flags) {
  const bool is_of_archives = HasConditions(flags.selection) || flags.follows || flags.shows_plan ||
                              flags.has_digest || !flags.resume.empty() ||
                              !flags.checkpoint.empty() || flags.pace.is_given() ||
                              flags.keeps_dead_letter_marks || flags.resends_late;
  if (is_of_archives) {
    return Status::Invalid(fmt::format(
        "'{}' is OTLP: conditions, pace and time, --plan, --follow, --digest, --resume, "
        "--checkpoint, --resend-late and --keep-dead-letter-marks are for archives; make one of it "
        "with df_engine convert --to star-parquet",
        PrintableText(flags.archive.path)));
  }
  ARROW_ASSIGN_OR_RAISE(const std::vector<otap::Signal> signals, ParseSignals(flags.signals));
  Json config = {{"path", config::EscapeReferences(flags.archive.path)}};
  for (const otap::Signal signal : signals) {
    config["signal_types"].push_back(otap::Name(signal));
  }
  return NodeText{"receiver:otlp_file",
                  config.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

/// What the receiver is told. Errors: as those of the flags.
Result<NodeText> SourceOf(const PipelineFlags& flags) {
  auto resolved = ResolvePath(flags.archive.path, flags.follows);
  if (!resolved.ok() && IsOtlp(flags.archive.path)) {
    return OtlpSourceOf(flags);
  }
  ARROW_ASSIGN_OR_RAISE(const ArchivePath path, std::move(resolved));
  if (!path.notice.empty()) {
    PrintRemark(flags.archive, path.notice);
  }
  if (!path.file.empty()) {
    return Status::Invalid(
        fmt::format("'{}' is one file; what is sent is an archive, a table or a "
                    "partition of one",
                    PrintableText(flags.archive.path)));
  }
  ARROW_ASSIGN_OR_RAISE(std::vector<otap::Signal> signals, ParseSignals(flags.signals));
  if (signals.empty()) {
    signals = path.signals;
  }
  ARROW_ASSIGN_OR_RAISE(const FlaggedSelection selection,
                        ReadSelectionFlags(flags.selection, signals, NowNanos()));
  Json config = {{"base_uri", config::EscapeReferences(path.base)},
                 {"polling_interval", flags.follows ? "5s" : "once"}};
  for (const otap::Signal signal : signals) {
    config["signal_types"].push_back(otap::Name(signal));
  }
  if (Json select = SelectOf(selection, path); !select.empty()) {
    config["select"] = std::move(select);
  }
  if (!flags.resume.empty()) {
    ARROW_RETURN_NOT_OK(TakeResumed(flags.resume, !flags.signals.empty(), &config));
    config["progress"]["resume"] = config::EscapeReferences(flags.resume);
  } else if (!flags.receipt.empty() || flags.archive.is_json) {
    config["progress"]["in_receipt"] = true;
  }
  if (!flags.checkpoint.empty()) {
    const fs::path place(flags.checkpoint);
    config["checkpoint"] = {
        {"directory",
         config::EscapeReferences(place.has_parent_path() ? place.parent_path().string() : ".")},
        {"name", config::EscapeReferences(place.filename().string())}};
    if (flags.shares) {
      config["checkpoint"]["lease"] = Json::object();
    }
  }
  if (flags.resends_late && flags.checkpoint.empty() && !flags.follows) {
    return Status::Invalid(
        "--resend-late: nothing was sent before that is known of; expected --checkpoint or "
        "--follow beside it");
  }
  if (flags.resends_late) {
    config["processing_options"]["late_children"] = "resend";
  }
  if (flags.has_digest) {
    config["digest"] = true;
  }
  ARROW_ASSIGN_OR_RAISE(const Json pace, ReadPaceFlags(flags.pace, NowNanos()));
  config.update(pace);
  if (flags.keeps_dead_letter_marks) {
    config["keep_dead_letter_marks"] = true;
  }
  const std::string cache = flags.archive.has_no_cache    ? ""
                            : flags.archive.cache.empty() ? DefaultCacheFolder()
                                                          : flags.archive.cache;
  if (!cache.empty()) {
    config["catalog"]["cache"] = config::EscapeReferences(cache);
  }
  if (!flags.archive.memory_limit.empty()) {
    config["memory_limit"] = config::EscapeReferences(flags.archive.memory_limit);
  }
  return NodeText{"receiver:parquet", config.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

/// A file that is written while it is read is lost.
Status CheckNotAmong(const std::vector<std::string>& written, const std::string& path) {
  const auto read = otlp::ExpandPath(path);
  if (!read.ok()) {
    return Status::OK();  // who opens it says so
  }
  for (const std::string& from : *read) {
    for (const std::string& to : written) {
      std::error_code error;
      if (fs::equivalent(from, to, error)) {
        return Status::Invalid(fmt::format("--to: '{}' is a file that is read", PrintableText(to)));
      }
    }
  }
  return Status::OK();
}

/// Tells whether two folders or URIs are one.
Result<bool> IsSamePlace(const std::string& left, const std::string& right) {
  ARROW_ASSIGN_OR_RAISE(const storage::StoreUri from, storage::ParseStoreUri(left));
  ARROW_ASSIGN_OR_RAISE(const storage::StoreUri to, storage::ParseStoreUri(right));
  std::error_code error;
  return from.is_local() && to.is_local()
             ? fs::weakly_canonical(from.path, error) == fs::weakly_canonical(to.path, error)
             : from.Describe(from.path) == to.Describe(to.path);
}

/// An archive that is copied into itself never ends, or doubles.
Status CheckNotItself(const PipelineFlags& flags, const Destination& destination) {
  const auto resolved = ResolvePath(flags.archive.path, flags.follows);
  if (!resolved.ok()) {
    return CheckNotAmong(FilesOf(destination), flags.archive.path);
  }
  if (destination.folder.empty()) {
    return Status::OK();
  }
  const ArchivePath& path = *resolved;
  ARROW_ASSIGN_OR_RAISE(const bool is_same, IsSamePlace(path.base, destination.folder));
  return is_same ? Status::Invalid(fmt::format("--to: '{}' is the archive itself",
                                               PrintableText(destination.folder)))
                 : Status::OK();
}

/// The exporter of dead letters, where they are asked for. Errors: Invalid where they would go into
/// what is read or written.
Result<std::optional<NodeText>> DeadLettersOf(const PipelineFlags& flags,
                                              const Destination& destination) {
  if (flags.dead_letters.empty()) {
    return flags.on_error.empty() ? Result<std::optional<NodeText>>(std::nullopt)
                                  : Status::Invalid(
                                        "--on-error: found no dead letters that it is about; write "
                                        "--dead-letters DIR");
  }
  const auto refuse = [&](std::string_view why) {
    return Status::Invalid(fmt::format("--dead-letters: '{}' is {}; name a folder of their own",
                                       PrintableText(flags.dead_letters), why));
  };
  if (const auto path = ResolvePath(flags.archive.path); path.ok()) {
    ARROW_ASSIGN_OR_RAISE(const bool is_read, IsSamePlace(path->base, flags.dead_letters));
    if (is_read) {
      return refuse("the archive itself");
    }
  }
  if (!destination.folder.empty()) {
    ARROW_ASSIGN_OR_RAISE(const bool is_written,
                          IsSamePlace(destination.folder, flags.dead_letters));
    if (is_written) {
      return refuse("the destination");
    }
  }
  const Json config = {{"base_uri", config::EscapeReferences(flags.dead_letters)},
                       {"dead_letters", true}};
  return NodeText{"exporter:parquet", config.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

/// Counts what would be sent.
int ShowPlan(const PipelineFlags& flags, const Destination& destination) {
  const auto signals = ParseSignals(flags.signals);
  if (!signals.ok()) {
    return FailCommand(flags.command, signals.status());
  }
  auto archive = OpenArchive(flags.archive, flags.selection, *signals);
  if (!archive.ok()) {
    return FailCommand(flags.command, archive.status());
  }
  struct Sums {
    std::array<int64_t, otap::kAllSignals.size()> items{};
    int64_t batches = 0;
  };
  std::vector<Sums> by_thread(static_cast<size_t>((*archive)->options().num_threads));
  const Status read = (*archive)->Read({}, [&](const lake::Payload& payload, size_t thread) {
    by_thread[thread].items[static_cast<size_t>(payload.batch->signal())] +=
        payload.batch->num_items();
    ++by_thread[thread].batches;
    return Status::OK();
  });
  if (!read.ok()) {
    return FailCommand(flags.command, read);
  }
  Sums sum;
  for (const Sums& one : by_thread) {
    sum.batches += one.batches;
    for (size_t i = 0; i < sum.items.size(); ++i) {
      sum.items[i] += one.items[i];
    }
  }
  std::string text = "would send ";
  Json json = {{"batches", sum.batches}, {"to", flags.destination.to}};
  int64_t all = 0;
  for (const otap::Signal signal : (*archive)->options().signals) {
    const int64_t count = sum.items[static_cast<size_t>(signal)];
    text += fmt::format("{}{} {}", all == 0 && text.ends_with(' ') ? "" : ", ", ShowCount(count),
                        ItemsName(signal));
    json[std::string(otap::Name(signal))] = count;
    all += count;
  }
  text += fmt::format(" in {} batches to {}\n", ShowCount(sum.batches),
                      destination.is_stdout ? "stdout" : PrintableText(flags.destination.to));
  const int code = PrintAnswer(flags.archive.is_json ? json.dump() + "\n" : text);
  const bool is_incomplete = PrintProblems(flags.command, **archive, flags.archive.is_quiet);
  return code != kExitClean ? code
         : is_incomplete    ? kExitIncomplete
         : all == 0         ? kExitNothingFound
                            : kExitClean;
}

int Replay(const PipelineFlags& flags) {
  const auto destination = ParseDestination(flags.destination);
  if (!destination.ok()) {
    return FailCommand(flags.command, destination.status());
  }
  if (flags.has_digest && flags.receipt.empty() && !flags.archive.is_json) {
    return FailCommand(flags.command,
                       Status::Invalid("--digest: found no receipt to write it into; write "
                                       "--receipt FILE, or --json"));
  }
  if (destination->is_stdout && flags.archive.is_json) {
    return FailCommand(flags.command,
                       Status::Invalid("--json prints the receipt on stdout, where the records go; "
                                       "write it into a file: --receipt FILE"));
  }
  if (const Status status = CheckNotItself(flags, *destination); !status.ok()) {
    return FailCommand(flags.command, status);
  }
  std::error_code error;
  if (!flags.resume.empty() || fs::exists(flags.checkpoint + ".sqlite", error)) {
    if (const Status status = CheckNotThere(*destination); !status.ok()) {
      return FailCommand(flags.command, status);
    }
  }
  const auto source = SourceOf(flags);
  if (!source.ok()) {
    return FailCommand(flags.command, source.status());
  }
  if (flags.shows_plan) {
    return ShowPlan(flags, *destination);
  }
  const auto path = ResolvePath(flags.archive.path, flags.follows);
  const Result<storage::StoreUri> uri =
      path.ok() ? storage::ParseStoreUri(path->base) : Result<storage::StoreUri>(path.status());
  if (destination->is_stdout && uri.ok() && uri->is_local()) {
    // A reader that has gone away has what it wanted. Connections of a store may break, too, and
    // must not end the process.
    std::signal(SIGPIPE, SIG_DFL);
  }
  const auto letters = DeadLettersOf(flags, *destination);
  if (!letters.ok()) {
    return FailCommand(flags.command, letters.status());
  }
  RunFlags run = RunFlagsOf(flags, *destination);
  run.exits_by_signal = true;
  run.finds_nothing_when_none_is_sent =
      !flags.follows && flags.resume.empty() && flags.checkpoint.empty();
  run.document.source = PipelineSource(*source, {destination->node, destination->config},
                                       destination->is_network && destination->folder.empty(),
                                       *letters, flags.on_error);
  return RunDocument(std::move(run));
}

/// The destination that a format and a place stand for.
Result<std::string> PlaceOf(const std::string& format, const std::string& output) {
  if (output.empty()) {
    return Status::Invalid("-o: found nothing, expected a file or folder");
  }
  if (format == "star-parquet") {
    return output == "-" ? Result<std::string>(Status::Invalid("-o: expected a folder or URI"))
                         : output;
  }
  if (output == "-") {
    return format == "otlp-json"
               ? Result<std::string>("-")
               : Result<std::string>(Status::Invalid("-o: OTLP protobuf is not for stdout"));
  }
  const bool is_json = format == "otlp-json";
  const std::string ending = fs::path(output).extension().string();
  const bool is_json_name = ending == ".json" || ending == ".jsonl" || ending == ".ndjson";
  const bool is_proto_name = ending == ".binpb" || ending == ".pb";
  if (is_json ? is_proto_name : is_json_name) {
    return Status::Invalid(fmt::format("-o: '{}' is the name of a file of another format than {}",
                                       PrintableText(output), format));
  }
  const bool is_file = is_json_name || is_proto_name;
  return "file:" +
         (is_file ? output
                  : (fs::path(output) / (is_json ? "{signal}.jsonl" : "{signal}.binpb")).string());
}

}  // namespace

int ReplayCommand(int argc, char** argv) {
  PipelineFlags flags{.command = "df_engine replay"};
  CLI::App command("Sends records of an archive to a server, a file or another archive.",
                   flags.command);
  AddArchiveFlags(&command, &flags.archive);
  command.add_option("--to", flags.destination.to, kToHelp)->required()->type_name("PLACE");
  command.add_option("--signal", flags.signals, "logs, spans or points; may be given again")
      ->allow_extra_args(false)
      ->type_name("SIGNAL");
  CLI::Option* plan =
      command.add_flag("--plan", flags.shows_plan, "Count what would be sent, and send nothing");
  command
      .add_option("--resume", flags.resume,
                  "Go on where a run has ended whose receipt this is: what was delivered is not "
                  "sent again, and what was selected then is selected")
      ->excludes(plan)
      ->type_name("RECEIPT");
  CLI::Option* checkpoint =
      command
          .add_option("--checkpoint", flags.checkpoint,
                      "Keep in this folder, under this name, what was delivered, and go on from "
                      "there: also after a kill, and with --follow")
          ->excludes(plan)
          ->type_name("DIR/NAME");
  CLI::Option* share =
      command
          .add_flag(
              "--share", flags.shares,
              "Share the checkpoint with other processes of this machine that replay the same: "
              "each file is sent by one of them, and those of one that dies by the others")
          ->needs(checkpoint);
  command
      .add_flag("--resend-late", flags.resends_late,
                "Send records once more when a file of their attributes, events, points .. has "
                "come since they were sent: found with --checkpoint, and while following")
      ->excludes(share);
  command
      .add_option("--dead-letters", flags.dead_letters,
                  "Write what the destination refuses permanently into this folder or URI, as an "
                  "archive that can be replayed; the exit code is 4 all the same")
      ->excludes(plan)
      ->type_name("DIR");
  command
      .add_option(
          "--on-error", flags.on_error,
          "When a dead letter cannot be written: continue (default), or stop; either way it "
          "counts as refused")
      ->check(CLI::IsMember({"continue", "stop"}).description(""))
      ->type_name("ACTION");
  command.add_flag("--keep-dead-letter-marks", flags.keeps_dead_letter_marks,
                   "Send dead letters with the attributes that say why they were refused; without "
                   "it they go out as they were first sent");
  command.add_flag(
      "--digest", flags.has_digest,
      "Have the receipt say by digests what was delivered, for `verify PLACE --against "
      "RECEIPT`; takes more CPU time");
  command.add_flag("--follow", flags.follows, "Go on with files that come, until stopped");
  AddPaceFlags(&command, &flags.pace);
  AddRunFlags(&command, &flags);
  AddSelectionFlags(&command, &flags.selection);
  AddServerFlags(&command, &flags.destination);
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  return Replay(flags);
}

int ConvertCommand(int argc, char** argv) {
  PipelineFlags flags{.command = "df_engine convert"};
  CLI::App command("Writes records of an archive in another format.", flags.command);
  std::string format;
  std::string output;
  AddArchiveFlags(&command, &flags.archive);
  command
      .add_option(
          "--to", format,
          "otlp-json (a request a line), otlp-proto, star-parquet (as df_engine writes it), "
          "csv or flat-parquet (a row for each item)")
      ->required()
      ->check(CLI::IsMember({"otlp-json", "otlp-proto", "star-parquet", "csv", "flat-parquet"})
                  .description(""))
      ->type_name("FORMAT");
  command
      .add_option("-o,--output", output,
                  "A file (.jsonl, .binpb, .csv, .parquet), '-' for stdout, or a folder, in which "
                  "each signal has a file")
      ->required()
      ->type_name("PLACE");
  command.add_option("--signal", flags.signals, "logs, spans or points; may be given again")
      ->allow_extra_args(false)
      ->type_name("SIGNAL");
  AddRunFlags(&command, &flags);
  AddSelectionFlags(&command, &flags.selection);
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  if (format == "csv" || format == "flat-parquet") {
    const auto signals = ParseSignals(flags.signals);
    if (!signals.ok()) {
      return FailCommand(flags.command, signals.status());
    }
    if (!flags.receipt.empty() || !flags.log_level.empty() || flags.archive.is_json ||
        output.empty()) {
      return FailCommand(
          flags.command,
          Status::Invalid(output.empty() ? "-o: found nothing, expected a file or folder"
                                         : "--receipt, --json and --log-level are for pipelines: "
                                           "rows of a table are written without one"));
    }
    return ConvertFlat({.command = flags.command,
                        .archive = flags.archive,
                        .selection = flags.selection,
                        .signals = *signals,
                        .is_csv = format == "csv",
                        .output = output,
                        .allows_incomplete = flags.allows_incomplete});
  }
  auto place = PlaceOf(format, output);
  if (!place.ok()) {
    return FailCommand(flags.command, place.status());
  }
  flags.destination.to = *std::move(place);
  return Replay(flags);
}

}  // namespace df::app
