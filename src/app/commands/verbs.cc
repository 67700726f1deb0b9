#include "app/commands/verbs.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/answer_capture.h"
#include "app/commands/archive_flags.h"
#include "app/commands/canary_command.h"
#include "app/commands/checkpoint_command.h"
#include "app/commands/compact_command.h"
#include "app/commands/completion_command.h"
#include "app/commands/count_command.h"
#include "app/commands/ctl_command.h"
#include "app/commands/exit_codes.h"
#include "app/commands/explain_command.h"
#include "app/commands/files_command.h"
#include "app/commands/generate_command.h"
#include "app/commands/graph_command.h"
#include "app/commands/inspect_command.h"
#include "app/commands/manual_page.h"
#include "app/commands/prune_command.h"
#include "app/commands/quarantine_command.h"
#include "app/commands/receive_command.h"
#include "app/commands/records_command.h"
#include "app/commands/replay_command.h"
#include "app/commands/run_command.h"
#include "app/commands/schema_command.h"
#include "app/commands/tap_command.h"
#include "app/commands/top_command.h"
#include "app/commands/trace_command.h"
#include "app/commands/validate_command.h"
#include "app/commands/verify_command.h"
#include "app/standard_output.h"
#include "app/version.h"
#include "base/text.h"
#include "nodes/registry.h"

namespace df::app {
namespace {

constexpr std::string_view kAsk = "Ask an archive";
constexpr std::string_view kMove = "Move telemetry";
constexpr std::string_view kKeep = "Keep an archive";
constexpr std::string_view kPipelines = "Pipelines";
constexpr std::string_view kRunning = "A running engine";
constexpr std::string_view kProgram = "The program";

int Help(int argc, char** argv);
int Man(int argc, char** argv);
int ShowVersion(int argc, char** argv);

/// A command that takes one argument, or none.
int UsageError(std::string_view usage) {
  const Status ignored = PrintTo(stderr, fmt::format("usage: df_engine {}\n", usage));
  return kExitUsage;
}

bool IsHelp(std::string_view argument) { return argument == "--help" || argument == "-h"; }

int Schema(int argc, char** argv) {
  if (argc == 2 && IsHelp(argv[1])) {
    return PrintAnswer("usage: df_engine schema\nPrints the JSON Schema of documents.\n");
  }
  return argc > 1 ? UsageError("schema")
                  : SchemaCommand(engine::NodeRegistry(nodes::AllDescriptors()));
}

int Schemas(int argc, char** argv) {
  if (argc == 2 && IsHelp(argv[1])) {
    return PrintAnswer(
        "usage: df_engine schemas DIR\nPrints which schemas the files of each table have had, from "
        "a folder of catalog.cache.\n");
  }
  return argc == 2 ? SchemasCommand(argv[1]) : UsageError("schemas DIR (of catalog.cache)");
}

int Files(int argc, char** argv) {
  if (argc == 2 && IsHelp(argv[1])) {
    return PrintAnswer(
        "usage: df_engine files BASE\nPrints a line of JSON for each file, which "
        "catalog.files.plan "
        "takes.\n");
  }
  return argc == 2 ? FilesCommand(argv[1]) : UsageError("files BASE (a path or URI)");
}

constexpr auto kVerbs = std::to_array<Verb>({
    {"inspect", kAsk, "what is in it: signals, times, services, files, sizes", InspectCommand},
    {"logs", kAsk, "print log records, the last 20 by default", LogsCommand},
    {"spans", kAsk, "print spans", SpansCommand},
    {"points", kAsk, "print data points of metrics", PointsCommand},
    {"trace", kAsk, "print a trace as a tree, with its log records", TraceCommand},
    {"count", kAsk, "count records by service, severity, time, any field", CountCommand},
    {"verify", kAsk, "read all of it and name what is missing; compare with another",
     VerifyCommand},
    {"replay", kMove, "send any slice of it to a server, a file or an archive", ReplayCommand},
    {"convert", kMove, "write it as OTLP JSON, OTLP protobuf or Parquet", ConvertCommand},
    {"receive", kMove, "take OTLP from senders and write an archive", ReceiveCommand},
    {"generate", kMove, "make up telemetry, for trials", GenerateCommand},
    {"checkpoint", kMove, "show, export, import or reset what a replay has delivered",
     CheckpointCommand},
    {"quarantine", kMove, "list, retry or drop what a replay has given up", QuarantineCommand},
    {"canary", kMove, "send known items again and again, and look for them in the archive",
     CanaryCommand},
    {"compact", kKeep, "make small partitions of an archive into large ones", CompactCommand},
    {"prune", kKeep, "remove what is older than some time", PruneCommand},
    {"run", kPipelines, "run the pipelines of a document (-c FILE)", RunCommand},
    {"validate", kPipelines, "check a document, with --env also what it needs; start nothing",
     ValidateCommand},
    {"graph", kPipelines, "draw the pipelines of a document", GraphCommand},
    {"nodes", kPipelines, "list what pipelines are made of", NodesCommand},
    {"explain", kPipelines, "describe a node and its keys, or a code of a problem", ExplainCommand},
    {"schema", kPipelines, "print the JSON Schema of documents", Schema},
    {"ctl", kRunning, "ask things of a running engine: status, stop, put, logs ..", CtlCommand},
    {"top", kRunning, "watch rates of its pipelines and nodes", TopCommand},
    {"tap", kRunning, "print records that pass one of its nodes", TapCommand},
    {"schemas", kProgram, "print what a cache knows of schemas of files", Schemas},
    {"files", kProgram, "list the files of an archive as a plan", Files},
    {"completion", kProgram, "print a script for bash, zsh or fish", CompletionCommand},
    {"man", kProgram, "print the manual page of the program or of a command", Man},
    {"version", kProgram, "print the version; -v: and what it is made of", ShowVersion},
    {"help", kProgram, "print this, or what a command takes", Help},
});

const Verb* FindVerb(std::string_view name) {
  const auto found = std::find_if(kVerbs.begin(), kVerbs.end(),
                                  [name](const Verb& verb) { return verb.name == name; });
  return found == kVerbs.end() ? nullptr : &*found;
}

/// Says what a first word that is no verb may have been meant as.
std::string DescribeUnknown(const std::string& word) {
  std::vector<std::string> names;
  for (const Verb& verb : kVerbs) {
    names.emplace_back(verb.name);
  }
  std::string text = fmt::format("df_engine: unknown command '{}'", PrintableText(word));
  std::error_code error;
  if (std::filesystem::is_directory(word, error)) {
    return text + fmt::format("; to look into a folder: df_engine inspect {}", PrintableText(word));
  }
  if (std::filesystem::exists(word, error)) {
    return text + fmt::format("; to run a document: df_engine run -c {}", PrintableText(word));
  }
  const std::string nearest = NearestName(word, names);
  return nearest.empty() ? text : text + fmt::format("; did you mean '{}'?", nearest);
}

int Unknown(const std::string& word) {
  const Status ignored =
      PrintTo(stderr, DescribeUnknown(word) + "\nRun 'df_engine help' for all commands.\n");
  return kExitUsage;
}

int Help(int argc, char** argv) {
  if (argc < 2 || IsHelp(argv[1])) {
    return PrintAnswer(Overview());
  }
  const Verb* verb = FindVerb(argv[1]);
  if (verb == nullptr) {
    return Unknown(argv[1]);
  }
  return PrintAnswer(HelpOf(*verb));
}

int Man(int argc, char** argv) {
  CLI::App command("Prints the manual page of the program, or of a command.", "df_engine man");
  std::string name;
  bool is_roff = false;
  command.add_option("COMMAND", name, "As in 'df_engine help'")->type_name("");
  command.add_flag("--roff", is_roff, "Print it as man(1) reads it");
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  const Verb* verb = FindVerb(name);
  if (verb == nullptr && !name.empty()) {
    return Unknown(name);
  }
  const ManualPage page =
      verb == nullptr
          ? ManualPage{"df_engine", "gives telemetry back out of Parquet", Overview(), Version()}
          : ManualPage{"df_engine-" + name, std::string(verb->summary), HelpOf(*verb), Version()};
  return PrintAnswer(is_roff ? ToRoff(page) : ToText(page));
}

int ShowVersion(int argc, char** argv) {
  if (argc == 2 && IsHelp(argv[1])) {
    return PrintAnswer("usage: df_engine version [-v]\n");
  }
  const std::string_view flag = argc == 2 ? argv[1] : "";
  if (argc > 2 || (argc == 2 && flag != "-v" && flag != "--verbose")) {
    return UsageError("version [-v]");
  }
  return PrintAnswer(argc == 2 ? VersionDetails() + "\n" : "df_engine " + Version() + "\n");
}

}  // namespace

std::span<const Verb> AllVerbs() { return kVerbs; }

std::string HelpOf(const Verb& verb) {
  const AnswerCapture capture;
  std::string name(verb.name);
  std::string flag = "--help";
  std::array<char*, 3> arguments = {name.data(), flag.data(), nullptr};
  verb.run(2, arguments.data());
  return capture.text();
}

std::string Usage() {
  return "df_engine gives telemetry back out of Parquet: logs, traces and metrics in the OTAP "
         "layout.\n"
         "\n"
         "  df_engine inspect ./lake                        what is in it\n"
         "  df_engine logs ./lake --errors -n 20            the last errors\n"
         "  df_engine replay ./lake --from 'yesterday 14:00' --until 14:15 --to "
         "grpc://localhost:4317\n"
         "\n"
         "Commands: inspect logs spans points trace count replay convert receive generate run "
         "validate ...\n"
         "'df_engine help' lists all of them, 'df_engine help COMMAND' says what one takes.\n";
}

std::string Overview() {
  std::string text = "usage: df_engine COMMAND [ARGUMENTS]\n";
  std::string_view group;
  for (const Verb& verb : kVerbs) {
    if (verb.group != group) {
      group = verb.group;
      text += fmt::format("\n{}:\n", group);
    }
    text += fmt::format("  {:<10} {}\n", verb.name, verb.summary);
  }
  text +=
      "\n'df_engine -c FILE' is 'df_engine run -c FILE'. Answers go to stdout, all else to "
      "stderr.\n"
      "Exit codes: 0 everything was read and delivered, 1 failed, 2 usage or configuration, 3 "
      "ended by\nforce, 4 incomplete: something is missing, unread or undelivered, 5 nothing "
      "found, 130 or 143\nstopped by a signal before the end.\n";
  return text;
}

int RunVerb(int argc, char** argv) {
  if (argc < 2) {
    const Status ignored = PrintTo(stderr, Usage());
    return kExitUsage;
  }
  const std::string word = argv[1];
  if (IsHelp(word)) {
    return PrintAnswer(Overview());
  }
  if (const Verb* verb = FindVerb(word); verb != nullptr) {
    return verb->run(argc - 1, argv + 1);
  }
  return word.starts_with('-') ? RunCommand(argc, argv) : Unknown(word);
}

}  // namespace df::app
