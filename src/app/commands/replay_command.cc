#include "app/commands/replay_command.h"

#include <array>
#include <charconv>
#include <csignal>
#include <filesystem>
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
#include "app/commands/pipeline_text.h"
#include "app/commands/resume_flags.h"
#include "app/commands/run_command.h"
#include "app/commands/signal_names.h"
#include "app/standard_output.h"
#include "base/text.h"
#include "config/environment.h"
#include "storage/store_uri.h"

namespace df::app {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Flags {
  std::string command;
  ArchiveFlags archive;
  SelectionFlags selection;
  std::vector<std::string> signals;
  DestinationFlags destination;
  bool follows = false;
  bool shows_plan = false;
  bool allows_incomplete = false;
  std::string receipt;
  std::string resume;
  std::string log_level;
};

Result<std::vector<otap::Signal>> SignalsOf(const std::vector<std::string>& names) {
  std::vector<otap::Signal> signals;
  for (const std::string& name : names) {
    const auto signal = FindSignalName(name);
    if (!signal.ok()) {
      return Status::Invalid("--signal: " + signal.status().message());
    }
    signals.push_back(*signal);
  }
  return signals;
}

std::string Escaped(const std::string& text) { return config::EscapeReferences(text); }

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
      select["where"][std::string(otap::Name(signal))] = Escaped(*where);
    }
  }
  if (!selection.trace_ids.empty()) {
    select["trace_ids"] = selection.trace_ids;
  }
  if (!selection.trace_ids_file.empty()) {
    select["trace_ids_file"] = Escaped(selection.trace_ids_file);
  }
  for (const std::string& pattern : path.partitions) {
    select["partitions"]["include"].push_back(Escaped(pattern));
  }
  return select;
}

/// What the receiver is told. Errors: as those of the flags.
Result<NodeText> SourceOf(const Flags& flags) {
  ARROW_ASSIGN_OR_RAISE(const ArchivePath path, ResolvePath(flags.archive.path));
  if (!path.notice.empty()) {
    PrintRemark(flags.archive, path.notice);
  }
  if (!path.file.empty()) {
    return Status::Invalid(
        fmt::format("'{}' is one file; what is sent is an archive, a table or a "
                    "partition of one",
                    PrintableText(flags.archive.path)));
  }
  ARROW_ASSIGN_OR_RAISE(std::vector<otap::Signal> signals, SignalsOf(flags.signals));
  if (signals.empty()) {
    signals = path.signals;
  }
  ARROW_ASSIGN_OR_RAISE(const FlaggedSelection selection,
                        ReadSelectionFlags(flags.selection, signals, NowNanos()));
  Json config = {{"base_uri", Escaped(path.base)},
                 {"polling_interval", flags.follows ? "5s" : "once"}};
  for (const otap::Signal signal : signals) {
    config["signal_types"].push_back(otap::Name(signal));
  }
  if (Json select = SelectOf(selection, path); !select.empty()) {
    config["select"] = std::move(select);
  }
  if (!flags.resume.empty()) {
    ARROW_RETURN_NOT_OK(TakeResumed(flags.resume, !flags.signals.empty(), &config));
    config["progress"]["resume"] = Escaped(flags.resume);
  } else if (!flags.receipt.empty() || flags.archive.is_json) {
    config["progress"]["in_receipt"] = true;
  }
  const std::string cache = flags.archive.has_no_cache    ? ""
                            : flags.archive.cache.empty() ? DefaultCacheFolder()
                                                          : flags.archive.cache;
  if (!cache.empty()) {
    config["catalog"]["cache"] = Escaped(cache);
  }
  if (!flags.archive.memory_limit.empty()) {
    config["memory_limit"] = Escaped(flags.archive.memory_limit);
  }
  return NodeText{"receiver:parquet", config.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

/// An archive that is copied into itself never ends, or doubles.
Status CheckNotItself(const Flags& flags, const Destination& destination) {
  if (destination.folder.empty()) {
    return Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(const ArchivePath path, ResolvePath(flags.archive.path));
  ARROW_ASSIGN_OR_RAISE(const storage::StoreUri from, storage::ParseStoreUri(path.base));
  ARROW_ASSIGN_OR_RAISE(const storage::StoreUri to, storage::ParseStoreUri(destination.folder));
  std::error_code error;
  const bool is_same =
      from.is_local() && to.is_local()
          ? fs::weakly_canonical(from.path, error) == fs::weakly_canonical(to.path, error)
          : from.Describe(from.path) == to.Describe(to.path);
  return is_same ? Status::Invalid(fmt::format("--to: '{}' is the archive itself",
                                               PrintableText(destination.folder)))
                 : Status::OK();
}

/// Counts what would be sent.
int ShowPlan(const Flags& flags, const Destination& destination) {
  const auto signals = SignalsOf(flags.signals);
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

/// What all commands that run a pipeline are told alike.
RunFlags RunFlagsOf(const Flags& flags, const Destination& destination) {
  RunFlags run;
  run.name = flags.command;
  run.answer = flags.archive.is_quiet ? RunAnswer::kNothing : RunAnswer::kDelivery;
  run.receipt = flags.archive.is_json && flags.receipt.empty() ? "/dev/stdout" : flags.receipt;
  run.log_level = flags.log_level.empty() ? "warning" : flags.log_level;
  run.allows_incomplete = flags.allows_incomplete;
  if (destination.needs_one_core) {
    run.num_cores = 1;
  } else if (flags.archive.num_threads > 0) {
    run.num_cores = flags.archive.num_threads;
  }
  return run;
}

int Replay(const Flags& flags) {
  const auto destination = ParseDestination(flags.destination);
  if (!destination.ok()) {
    return FailCommand(flags.command, destination.status());
  }
  if (destination->is_stdout && flags.archive.is_json) {
    return FailCommand(flags.command,
                       Status::Invalid("--json prints the receipt on stdout, where the records go; "
                                       "write it into a file: --receipt FILE"));
  }
  if (const Status status = CheckNotItself(flags, *destination); !status.ok()) {
    return FailCommand(flags.command, status);
  }
  if (!flags.resume.empty()) {
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
  const auto path = ResolvePath(flags.archive.path);
  const Result<storage::StoreUri> uri =
      path.ok() ? storage::ParseStoreUri(path->base) : Result<storage::StoreUri>(path.status());
  if (destination->is_stdout && uri.ok() && uri->is_local()) {
    // A reader that has gone away has what it wanted. Connections of a store may break, too, and
    // must not end the process.
    std::signal(SIGPIPE, SIG_DFL);
  }
  RunFlags run = RunFlagsOf(flags, *destination);
  run.finds_nothing_when_none_is_sent = !flags.follows && flags.resume.empty();
  run.document.source = PipelineSource(*source, {destination->node, destination->config},
                                       destination->is_network && destination->folder.empty());
  return RunDocument(std::move(run));
}

void AddRunFlags(CLI::App* command, Flags* flags) {
  command
      ->add_option("--receipt", flags->receipt,
                   "Write what was found, delivered and left out into a file, as JSON "
                   "(docs/receipt.md)")
      ->type_name("FILE");
  command->add_flag("--allow-incomplete", flags->allows_incomplete,
                    "Exit with 0 in place of 4; what is missing is named all the same");
  command
      ->add_option("--log-level", flags->log_level,
                   "debug, info, warning or error; default warning")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}).description(""))
      ->type_name("LEVEL");
}

void AddServerFlags(CLI::App* command, DestinationFlags* flags) {
  const std::string group = "Servers";
  command->add_option("--header", flags->headers, "Sent with every request; may be given again")
      ->allow_extra_args(false)
      ->type_name("NAME=VALUE")
      ->group(group);
  command->add_option("--compression", flags->compression, "none, gzip, zstd or deflate")
      ->check(CLI::IsMember({"none", "gzip", "zstd", "deflate"}).description(""))
      ->type_name("CODEC")
      ->group(group);
  command->add_option("--tls-ca", flags->tls_ca, "Authorities that are believed, as PEM")
      ->type_name("FILE")
      ->group(group);
  command->add_option("--tls-cert", flags->tls_cert, "Certificate of this client, as PEM")
      ->type_name("FILE")
      ->group(group);
  command->add_option("--tls-key", flags->tls_key, "Its key, as PEM")
      ->type_name("FILE")
      ->group(group);
  command
      ->add_option("--tls-server-name", flags->tls_server_name,
                   "Name that the certificate of the server must have")
      ->type_name("NAME")
      ->group(group);
}

constexpr const char* kToHelp =
    "grpc://HOST:PORT, http://HOST:PORT (also grpcs, https), otap://HOST:PORT, file:PATH (.jsonl "
    "or .binpb), '-' (OTLP JSON on stdout), 'null', or a folder or URI for star-schema Parquet";

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

/// "4317" or "0.0.0.0:4317" as an address; "" as itself. Errors: Invalid for what is no port.
Result<std::string> AddressOf(const std::string& text) {
  const size_t colon = text.rfind(':');
  const std::string port = colon == std::string::npos ? text : text.substr(colon + 1);
  int number = 0;
  const auto read = std::from_chars(port.data(), port.data() + port.size(), number);
  if (!text.empty() && (read.ec != std::errc() || read.ptr != port.data() + port.size() ||
                        number < 0 || number > 65'535)) {
    return Status::Invalid(
        fmt::format("--listen: found '{}', expected a port or HOST:PORT, like "
                    "4317,4318 or 0.0.0.0:4317",
                    PrintableText(text)));
  }
  return text.empty() || colon != std::string::npos ? text : "127.0.0.1:" + text;
}

/// The protocols of the receiver. Errors: as AddressOf.
Result<Json> ProtocolsOf(const std::string& listen) {
  const size_t comma = listen.find(',');
  Json protocols = Json::object();
  ARROW_ASSIGN_OR_RAISE(const std::string grpc, AddressOf(listen.substr(0, comma)));
  if (!grpc.empty()) {
    protocols["grpc"] = {{"listening_addr", Escaped(grpc)}, {"wait_for_result", true}};
  }
  ARROW_ASSIGN_OR_RAISE(const std::string http,
                        AddressOf(comma == std::string::npos ? "" : listen.substr(comma + 1)));
  if (!http.empty()) {
    protocols["http"] = {{"listening_addr", Escaped(http)}, {"wait_for_result", true}};
  }
  if (protocols.empty()) {
    return Status::Invalid("--listen: found no port, expected one like 4317,4318");
  }
  return protocols;
}

}  // namespace

int ReplayCommand(int argc, char** argv) {
  Flags flags{.command = "df_engine replay"};
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
  command.add_flag("--follow", flags.follows, "Go on with files that come, until stopped");
  AddRunFlags(&command, &flags);
  AddSelectionFlags(&command, &flags.selection);
  AddServerFlags(&command, &flags.destination);
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  return Replay(flags);
}

int ConvertCommand(int argc, char** argv) {
  Flags flags{.command = "df_engine convert"};
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
    const auto signals = SignalsOf(flags.signals);
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

int ReceiveCommand(int argc, char** argv) {
  Flags flags{.command = "df_engine receive"};
  CLI::App command("Receives OTLP over gRPC and HTTP and writes star-schema Parquet.",
                   flags.command);
  std::string listen = "4317,4318";
  command.add_option("--to", flags.destination.to, "The folder or URI of the archive")
      ->required()
      ->type_name("PLACE");
  command
      .add_option("--listen", listen,
                  "Ports or addresses of gRPC and of HTTP; of this machine only unless an address "
                  "says otherwise")
      ->type_name("GRPC,HTTP")
      ->capture_default_str();
  command.add_option("--threads", flags.archive.num_threads, "Cores to use; default: all")
      ->check(CLI::Range(1, 4096).description(""))
      ->type_name("N");
  command.add_flag("-q,--quiet", flags.archive.is_quiet, "Print errors only");
  AddRunFlags(&command, &flags);
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  const auto destination = ParseDestination(flags.destination);
  if (!destination.ok()) {
    return FailCommand(flags.command, destination.status());
  }
  if (destination->folder.empty()) {
    return FailCommand(flags.command,
                       Status::Invalid(fmt::format("--to: found '{}', expected a folder or URI",
                                                   PrintableText(flags.destination.to))));
  }
  auto protocols = ProtocolsOf(listen);
  if (!protocols.ok()) {
    return FailCommand(flags.command, protocols.status());
  }
  Json lake = {
      {"base_uri", Escaped(destination->folder)}, {"time_levels", "hour"}, {"seal_after", "1h"}};
  // Only a local disk can stage small files until they are merged.
  lake["writer_options"] = destination->is_network ? Json{{"flush_when_older_than", "10s"}}
                                                   : Json{{"flush_when_older_than", "2s"},
                                                          {"roll_when_older_than", "10m"},
                                                          {"target_bytes_per_file", "128MiB"}};
  RunFlags run = RunFlagsOf(flags, *destination);
  run.log_level = !flags.log_level.empty() ? flags.log_level
                  : flags.archive.is_quiet ? "error"
                                           : "info";
  run.answer = flags.archive.is_quiet ? RunAnswer::kNothing : RunAnswer::kSummary;
  const Json config = {{"protocols", *std::move(protocols)}};
  run.document.source =
      PipelineSource({"receiver:otlp", config.dump()}, {"exporter:parquet", lake.dump()}, false);
  return RunDocument(std::move(run));
}

int GenerateCommand(int argc, char** argv) {
  Flags flags{.command = "df_engine generate"};
  CLI::App command("Makes up telemetry and sends it, for trials and tests.", flags.command);
  int64_t count = 0;
  int64_t rate = 0;
  int64_t seed = 1;
  std::string service = "load-generator";
  command.add_option("--to", flags.destination.to, kToHelp)->required()->type_name("PLACE");
  command.add_option("--signal", flags.signals, "logs, spans or points; may be given again")
      ->allow_extra_args(false)
      ->type_name("SIGNAL");
  command
      .add_option("-n,--count", count,
                  "Log records, spans and metrics together; default: until stopped")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000'000'000}).description(""))
      ->type_name("N");
  command
      .add_option("--rate", rate,
                  "Log records, spans and metrics a second; default: as fast as they are taken")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000'000}).description(""))
      ->type_name("N");
  command.add_option("--seed", seed, "The same seed makes the same items, but for their times")
      ->check(CLI::Range(int64_t{0}, INT64_MAX).description(""))
      ->type_name("N");
  command.add_option("--service", service, "Name of the service")->type_name("NAME");
  command.add_option("--threads", flags.archive.num_threads, "Cores to use; default: all")
      ->check(CLI::Range(1, 4096).description(""))
      ->type_name("N");
  command.add_flag("-q,--quiet", flags.archive.is_quiet, "Print errors only");
  AddRunFlags(&command, &flags);
  AddServerFlags(&command, &flags.destination);
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  const auto destination = ParseDestination(flags.destination);
  if (!destination.ok()) {
    return FailCommand(flags.command, destination.status());
  }
  auto signals = SignalsOf(flags.signals);
  if (!signals.ok()) {
    return FailCommand(flags.command, signals.status());
  }
  if (signals->empty()) {
    signals->assign(otap::kAllSignals.begin(), otap::kAllSignals.end());
  }
  constexpr std::array kWeights = {"log_weight", "trace_weight", "metric_weight"};
  Json traffic = {{"signals_per_second", rate > 0 ? Json(rate) : Json()}};
  for (const otap::Signal signal : *signals) {
    traffic[kWeights[static_cast<size_t>(signal)]] = 1;
  }
  if (count > 0) {
    traffic["max_signal_count"] = count;
  }
  const Json config = {{"seed", seed},
                       {"resource_attributes", {{"service.name", Escaped(service)}}},
                       {"traffic_config", std::move(traffic)}};
  RunFlags run = RunFlagsOf(flags, *destination);
  if (destination->is_stdout) {
    std::signal(SIGPIPE, SIG_DFL);
  }
  run.answer =
      flags.archive.is_quiet || destination->is_stdout ? RunAnswer::kNothing : RunAnswer::kSummary;
  run.document.source = PipelineSource(
      {"receiver:traffic_generator", config.dump(-1, ' ', false, Json::error_handler_t::replace)},
      {destination->node, destination->config},
      destination->is_network && destination->folder.empty());
  return RunDocument(std::move(run));
}

}  // namespace df::app
