#include "app/commands/canary_command.h"

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/commands/archive_flags.h"
#include "app/commands/canary_items.h"
#include "app/commands/duration_text.h"
#include "app/commands/exit_codes.h"
#include "app/commands/item_source.h"
#include "app/commands/moment.h"
#include "app/commands/pipeline_flags.h"
#include "app/commands/signal_names.h"
#include "app/standard_output.h"
#include "base/durable_file.h"
#include "base/file_calls.h"
#include "base/text.h"

extern char** environ;

namespace df::app {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

const std::string kName = "df_engine canary";

/// What became of a cycle.
enum class Outcome : uint8_t {
  kBack,     ///< every item is in the archive, as it was sent
  kNotSent,  ///< the destination did not take them
  kMissing,  ///< some are not there
  kAltered,  ///< as many are there, and they say something else
  kTwice,    ///< more are there than were sent
};
constexpr std::array<std::string_view, 5> kOutcomeNames = {"back", "not_sent", "missing", "altered",
                                                           "twice"};

struct Flags {
  PipelineFlags pipeline;
  std::string every = "1m";
  std::string deadline = "2m";
  int64_t cycles = 0;  ///< 0: until stopped
  int count = 10;
  std::string metrics_file;
};

struct Options {
  Flags flags;
  std::vector<otap::Signal> signals;
  nanoseconds every{0};
  nanoseconds deadline{0};
};

struct Cycle {
  std::string id;
  int64_t begin_unix_nanos = 0;
  Outcome outcome = Outcome::kBack;
  nanoseconds took{0};
  std::map<otap::Signal, int64_t> sent;
  std::map<otap::Signal, int64_t> found;
  std::string message;  ///< why it failed; "" when it did not
};

/// A folder that goes with it.
class PrivateFolder {
 public:
  PrivateFolder() {
    std::string pattern = (fs::temp_directory_path() / "df_engine-canary-XXXXXX").string();
    path_ = mkdtemp(pattern.data()) == nullptr ? "" : pattern;
  }
  ~PrivateFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string NewId() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 4; ++i) {
    id += fmt::format("{:08x}", random());
  }
  return id;
}

std::string FirstLineOf(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// Runs this program with other arguments. Returns its exit code, or 128 and the signal that ended
/// it; what it says goes into `log`. Errors: kind io.
Result<int> RunSelf(std::vector<std::string> arguments, const fs::path& log) {
  std::vector<char*> pointers;
  for (std::string& argument : arguments) {
    pointers.push_back(argument.data());
  }
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  constexpr mode_t kMine = 0600;
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT, kMine);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int error =
      posix_spawn(&child, "/proc/self/exe", &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return FileError("/proc/self/exe", "cannot be run", error);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : kExitOfSignal + WTERMSIG(status);
}

/// Sends the items of a cycle. Returns why they were not taken; "" when they were.
std::string Send(const Options& options, const CanaryItems& items) {
  const PrivateFolder folder;
  const fs::path requests = folder.path() / "canary.jsonl";
  std::ofstream(requests) << items.lines;
  const DestinationFlags& to = options.flags.pipeline.destination;
  std::vector<std::string> arguments = {"df_engine", "replay", requests.string(),
                                        "--to",      to.to,    "-q"};
  for (const std::string& header : to.headers) {
    arguments.insert(arguments.end(), {"--header", header});
  }
  const std::pair<const char*, const std::string*> given[] = {
      {"--compression", &to.compression},
      {"--tls-ca", &to.tls_ca},
      {"--tls-cert", &to.tls_cert},
      {"--tls-key", &to.tls_key},
      {"--tls-server-name", &to.tls_server_name}};
  for (const auto& [flag, value] : given) {
    if (!value->empty()) {
      arguments.insert(arguments.end(), {flag, *value});
    }
  }
  const fs::path log = folder.path() / "log";
  const auto code = RunSelf(std::move(arguments), log);
  if (!code.ok()) {
    return code.status().message();
  }
  if (*code == kExitClean) {
    return "";
  }
  const std::string said = FirstLineOf(log);
  return fmt::format("not taken by {}: {}", to.to,
                     said.empty() ? fmt::format("exit code {}", *code) : said);
}

/// Looks into the archive once. Errors: where it cannot be read.
Result<std::vector<otlp::ItemDigest>> Look(const Options& options, const Cycle& cycle) {
  ArchiveFlags archive = options.flags.pipeline.archive;
  archive.may_be_empty = true;
  archive.is_quiet = true;
  // Folders of earlier hours are not listed.
  constexpr int64_t kSecond = 1'000'000'000;
  SelectionFlags selection;
  selection.from = fmt::format("{}ns", cycle.begin_unix_nanos - kSecond);
  selection.where = {fmt::format("resource.attributes[\"{}\"] == {}", kCanaryAttribute,
                                 QuotedForCondition(cycle.id))};
  ARROW_ASSIGN_OR_RAISE(const auto opened, OpenArchive(archive, selection, options.signals));
  const auto source = MakeArchiveSource(opened.get());
  return DigestItems(source.get(), options.signals);
}

/// Compares what is there with what was sent.
Outcome Compare(const CanaryItems& items, const std::vector<otlp::ItemDigest>& there,
                Cycle* cycle) {
  Outcome outcome = Outcome::kBack;
  for (const otap::Signal signal : items.signals) {
    const otlp::ItemSum sent = items.digests[static_cast<size_t>(signal)].Sum();
    const otlp::ItemSum found = there[static_cast<size_t>(signal)].Sum();
    cycle->found[signal] = found.count;
    if (found == sent) {
      continue;
    }
    const Outcome of_signal = found.count < sent.count   ? Outcome::kMissing
                              : found.count > sent.count ? Outcome::kTwice
                                                         : Outcome::kAltered;
    // What is missing may come yet, so that says the most.
    outcome = outcome == Outcome::kMissing ? outcome : of_signal;
  }
  return outcome;
}

std::string DescribeFound(const Cycle& cycle) {
  std::vector<std::string> parts;
  for (const auto& [signal, sent] : cycle.sent) {
    const auto found = cycle.found.find(signal);
    parts.push_back(fmt::format("{} of {} {}", found == cycle.found.end() ? 0 : found->second, sent,
                                ItemsName(signal)));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

/// Looks until everything is there or the deadline is over.
void WaitForItems(const Options& options, const CanaryItems& items, Cycle* cycle) {
  constexpr nanoseconds kFirstWait = std::chrono::milliseconds(100);
  constexpr nanoseconds kLongestWait = std::chrono::seconds(5);
  const auto begin = steady_clock::now();
  nanoseconds wait = kFirstWait;
  std::string trouble;
  while (true) {
    const auto there = Look(options, *cycle);
    cycle->took = steady_clock::now() - begin;
    trouble = there.ok() ? "" : there.status().message();
    cycle->outcome = there.ok() ? Compare(items, *there, cycle) : Outcome::kMissing;
    if (cycle->outcome != Outcome::kMissing || cycle->took + wait > options.deadline) {
      break;
    }
    std::this_thread::sleep_for(wait);
    wait = std::min(wait * 3 / 2, kLongestWait);
  }
  if (cycle->outcome != Outcome::kBack) {
    constexpr std::array<std::string_view, 5> kWords = {
        "", "", "after the deadline", "and they are not what was sent", "so some came twice"};
    cycle->message =
        fmt::format("{} are in {}, {}", DescribeFound(*cycle), options.flags.pipeline.archive.path,
                    kWords[static_cast<size_t>(cycle->outcome)]) +
        (trouble.empty() ? "" : ": " + trouble);
  }
}

Result<Cycle> RunCycle(const Options& options) {
  Cycle cycle;
  cycle.id = NewId();
  cycle.begin_unix_nanos = NowNanos();
  ARROW_ASSIGN_OR_RAISE(
      const CanaryItems items,
      MakeCanaryItems(cycle.id, cycle.begin_unix_nanos, options.flags.count, options.signals));
  for (const otap::Signal signal : options.signals) {
    cycle.sent[signal] = items.digests[static_cast<size_t>(signal)].Sum().count;
  }
  cycle.message = Send(options, items);
  if (!cycle.message.empty()) {
    cycle.outcome = Outcome::kNotSent;
    return cycle;
  }
  WaitForItems(options, items, &cycle);
  return cycle;
}

std::string TextOf(const Cycle& cycle) {
  return fmt::format(
      "{}  {}  {}\n", ShowMoment(cycle.begin_unix_nanos),
      kOutcomeNames[static_cast<size_t>(cycle.outcome)],
      cycle.outcome == Outcome::kBack
          ? fmt::format("{} after {}", DescribeFound(cycle), ShowDuration(cycle.took.count()))
          : PrintableText(cycle.message));
}

std::string JsonOf(const Cycle& cycle) {
  Json signals = Json::object();
  for (const auto& [signal, sent] : cycle.sent) {
    const auto found = cycle.found.find(signal);
    signals[std::string(otap::Name(signal))] = {
        {"sent", sent}, {"found", found == cycle.found.end() ? 0 : found->second}};
  }
  const Json json = {{"id", cycle.id},
                     {"time_unix_nano", std::to_string(cycle.begin_unix_nanos)},
                     {"outcome", kOutcomeNames[static_cast<size_t>(cycle.outcome)]},
                     {"seconds", static_cast<double>(cycle.took.count()) / 1e9},
                     {"signals", std::move(signals)},
                     {"message", cycle.message}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// What all cycles have come to.
struct Totals {
  std::array<int64_t, kOutcomeNames.size()> cycles{};
  double last_seconds = 0;
  int64_t last_success_unix_nanos = 0;
};

/// Text of Prometheus, as the textfile collector of its node exporter reads it.
std::string MetricsText(const Totals& totals) {
  std::string text =
      "# HELP df_engine_canary_cycles_total Cycles by what became of their items.\n"
      "# TYPE df_engine_canary_cycles_total counter\n";
  for (size_t i = 0; i < kOutcomeNames.size(); ++i) {
    text += fmt::format("df_engine_canary_cycles_total{{outcome=\"{}\"}} {}\n", kOutcomeNames[i],
                        totals.cycles[i]);
  }
  text += fmt::format(
      "# HELP df_engine_canary_seconds How long the items of the last good cycle took.\n"
      "# TYPE df_engine_canary_seconds gauge\n"
      "df_engine_canary_seconds {}\n"
      "# HELP df_engine_canary_last_success_seconds When the last good cycle began, since 1970.\n"
      "# TYPE df_engine_canary_last_success_seconds gauge\n"
      "df_engine_canary_last_success_seconds {:.3f}\n",
      totals.last_seconds, static_cast<double>(totals.last_success_unix_nanos) / 1e9);
  return text;
}

int Run(const Options& options) {
  Totals totals;
  bool is_well = true;
  for (int64_t i = 0; options.flags.cycles == 0 || i < options.flags.cycles; ++i) {
    const auto begin = steady_clock::now();
    const auto cycle = RunCycle(options);
    if (!cycle.ok()) {
      return FailCommand(kName, cycle.status());
    }
    ++totals.cycles[static_cast<size_t>(cycle->outcome)];
    if (cycle->outcome == Outcome::kBack) {
      totals.last_seconds = static_cast<double>(cycle->took.count()) / 1e9;
      totals.last_success_unix_nanos = cycle->begin_unix_nanos;
    }
    is_well = is_well && cycle->outcome == Outcome::kBack;
    if (!options.flags.pipeline.archive.is_quiet || cycle->outcome != Outcome::kBack) {
      const int code =
          PrintAnswer(options.flags.pipeline.archive.is_json ? JsonOf(*cycle) : TextOf(*cycle));
      if (code != kExitClean) {
        return code;
      }
    }
    if (!options.flags.metrics_file.empty()) {
      const Status written =
          ReplaceFile(&SystemFileCalls(), options.flags.metrics_file, MetricsText(totals));
      if (!written.ok()) {
        return FailCommand(kName, written);
      }
    }
    if (i + 1 != options.flags.cycles) {
      std::this_thread::sleep_until(begin + options.every);
    }
  }
  return is_well ? kExitClean : kExitIncomplete;
}

Result<nanoseconds> ReadDuration(const std::string& flag, const std::string& text) {
  const auto read = ParseDuration(text);
  if (!read.ok() || *read <= nanoseconds(0)) {
    return Status::Invalid(
        fmt::format("{}: found '{}', expected a duration such as 1m", flag, PrintableText(text)));
  }
  return *read;
}

Result<Options> ReadFlags(const Flags& flags) {
  Options options{.flags = flags};
  ARROW_ASSIGN_OR_RAISE(options.every, ReadDuration("--every", flags.every));
  ARROW_ASSIGN_OR_RAISE(options.deadline, ReadDuration("--deadline", flags.deadline));
  ARROW_ASSIGN_OR_RAISE(options.signals, ParseSignals(flags.pipeline.signals));
  if (options.signals.empty()) {
    options.signals.assign(otap::kAllSignals.begin(), otap::kAllSignals.end());
  }
  ARROW_ASSIGN_OR_RAISE(const Destination destination,
                        ParseDestination(flags.pipeline.destination));
  if (!destination.is_network) {
    return Status::Invalid(
        fmt::format("--to: found '{}', expected a server, such as grpc://127.0.0.1:4317",
                    PrintableText(flags.pipeline.destination.to)));
  }
  return options;
}

}  // namespace

int CanaryCommand(int argc, char** argv) {
  Flags flags;
  flags.pipeline.command = kName;
  CLI::App command(
      "Sends known items to a server and looks for them in the archive that comes of it, again and "
      "again.",
      kName);
  AddArchiveFlags(&command, &flags.pipeline.archive);
  command
      .add_option("--to", flags.pipeline.destination.to,
                  "Where the items are sent: grpc://HOST:PORT, http://HOST:PORT (also grpcs, "
                  "https), otap://HOST:PORT")
      ->required()
      ->type_name("SERVER");
  command
      .add_option("--signal", flags.pipeline.signals, "logs, spans or points; may be given again")
      ->allow_extra_args(false)
      ->type_name("SIGNAL");
  command
      .add_option("--every", flags.every,
                  "From the begin of a cycle to that of the next; default 1m")
      ->type_name("DURATION");
  command
      .add_option("--deadline", flags.deadline,
                  "How long items may take into the archive; default 2m. An archive that is rolled "
                  "every ten minutes needs more than these")
      ->type_name("DURATION");
  command
      .add_option("-n,--cycles", flags.cycles, "End after so many; default: go on until stopped")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000'000}).description(""))
      ->type_name("N");
  command
      .add_option("--items", flags.count,
                  "Log records, spans and metrics of a cycle, each; default 10")
      ->check(CLI::Range(1, 1'000).description(""))
      ->type_name("N");
  command
      .add_option("--metrics-file", flags.metrics_file,
                  "Keep counts and times in this file, as text of Prometheus (for the textfile "
                  "collector of its node exporter)")
      ->type_name("FILE");
  AddServerFlags(&command, &flags.pipeline.destination);
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  const auto options = ReadFlags(flags);
  return options.ok() ? Run(*options) : FailCommand(kName, options.status());
}

}  // namespace df::app
