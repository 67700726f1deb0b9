#include "app/commands/archive_flags.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/commands/absent_flags.h"
#include "app/commands/exit_codes.h"
#include "app/standard_output.h"
#include "base/text.h"
#include "runtime/cores.h"

namespace df::app {
namespace {

/// Problems that are named one by one.
constexpr size_t kMostNamed = 20;

void PrintError(const std::string& text) {
  // When stderr cannot be written, the exit code has to do.
  const Status ignored = PrintTo(stderr, text);
}

/// The signals of a path that a command asks for.
std::vector<otap::Signal> Common(const std::vector<otap::Signal>& there,
                                 const std::vector<otap::Signal>& asked) {
  std::vector<otap::Signal> common;
  for (const otap::Signal signal : there) {
    if (asked.empty() || std::find(asked.begin(), asked.end(), signal) != asked.end()) {
      common.push_back(signal);
    }
  }
  return common;
}

/// What CLI11 says of an unknown flag, with the nearest one that there is.
std::string DescribeParseError(const CLI::App& command, const CLI::ParseError& error, int argc,
                               char** argv) {
  std::vector<std::string> known;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      known.push_back("--" + name);
    }
  }
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const std::string name = word.substr(0, word.find('='));
    if (name == "--") {
      break;
    }
    if (name.starts_with("--") && std::find(known.begin(), known.end(), name) == known.end()) {
      const std::string verb = command.get_name().substr(command.get_name().rfind(' ') + 1);
      if (const std::string_view why = WhyAbsent(verb, name); !why.empty()) {
        return fmt::format("'{}' {}", name, why);
      }
      const std::string nearest = NearestName(name, known);
      return fmt::format("unknown flag '{}'{}", PrintableText(name),
                         nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest));
    }
  }
  return error.what();
}

}  // namespace

void AddArchiveFlags(CLI::App* command, ArchiveFlags* flags) {
  command
      ->add_option("PATH", flags->path,
                   "An archive: a folder, a folder above it, one of its tables or files, or a URI "
                   "like s3://bucket/prefix")
      ->required()
      ->type_name("");
  command
      ->add_option("--cache", flags->cache,
                   "Keep what footers say in this folder; default: df_engine in the user's cache")
      ->type_name("DIR");
  command->add_flag("--no-cache", flags->has_no_cache, "Read every footer anew, keep nothing");
  command
      ->add_option("--memory-limit", flags->memory_limit,
                   "Bound on what is read and decoded at a time; default 256MiB")
      ->type_name("SIZE");
  command
      ->add_option("--threads", flags->num_threads, "Threads that read; default: one for each core")
      ->check(CLI::Range(1, 4096).description(""))
      ->type_name("N");
  command->add_flag("-q,--quiet", flags->is_quiet, "Print answers and errors only");
  command->add_flag("--json", flags->is_json, "Print JSON (docs/commands.md)");
}

void AddColorFlag(CLI::App* command, ArchiveFlags* flags) {
  command->add_option("--color", flags->color, "auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}).description(""))
      ->type_name("WHEN");
}

std::optional<int> ParseCommandLine(CLI::App* command, int argc, char** argv) {
  try {
    command->parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    return PrintAnswer(command->help());
  } catch (const CLI::Success& asked) {
    return command->exit(asked);
  } catch (const CLI::ParseError& error) {
    PrintError(fmt::format("{}: {}\nRun '{} --help' for what it takes.\n", command->get_name(),
                           DescribeParseError(*command, error, argc, argv), command->get_name()));
    return kExitUsage;
  }
}

Result<std::unique_ptr<Archive>> OpenArchive(const ArchiveFlags& flags,
                                             const SelectionFlags& selection,
                                             std::vector<otap::Signal> signals, bool holds_base) {
  ARROW_ASSIGN_OR_RAISE(ArchivePath path, ResolvePath(flags.path, flags.may_be_empty));
  const std::vector<otap::Signal> common = Common(path.signals, signals);
  if (common.empty()) {
    return Status::Invalid(fmt::format("'{}' holds {} only", PrintableText(flags.path),
                                       otap::Name(path.signals.front())));
  }
  ARROW_ASSIGN_OR_RAISE(FlaggedSelection wanted, ReadSelectionFlags(selection, common, NowNanos()));
  ArchiveOptions options{.path = std::move(path),
                         .signals = common,
                         .wishes = std::move(wanted.wishes),
                         .cache = flags.has_no_cache    ? ""
                                  : flags.cache.empty() ? DefaultCacheFolder()
                                                        : flags.cache};
  options.holds_base = holds_base;
  options.num_threads =
      flags.num_threads > 0 ? flags.num_threads : static_cast<int>(runtime::AllowedCores().size());
  if (!flags.memory_limit.empty()) {
    const auto limit = ParseSize(flags.memory_limit);
    if (!limit.ok() || *limit < 16_MiB) {
      return Status::Invalid(fmt::format(
          "--memory-limit: {}", limit.ok() ? "expected at least 16MiB" : limit.status().message()));
    }
    options.memory_limit_bytes = *limit;
  }
  if (!options.path.notice.empty()) {
    PrintRemark(flags, options.path.notice);
  }
  ARROW_ASSIGN_OR_RAISE(auto archive, Archive::Open(std::move(options)));
  if (!archive->cache_notice().empty()) {
    PrintRemark(flags, "footers are read without what was kept: " + archive->cache_notice());
  }
  return archive;
}

int FailCommand(const std::string& command, const Status& status) {
  PrintError(fmt::format("{}: {}\n", command, status.message()));
  return status.IsInvalid() ? kExitUsage : kExitFailed;
}

bool PrintProblems(const std::string& command, const Archive& archive, bool is_quiet) {
  const lake::ReadReport report = archive.Report();
  size_t num_named = 0;
  int64_t num_problems = report.num_forgotten;
  for (const auto* problems : {&report.problems, &report.latest}) {
    for (const lake::Problem& problem : *problems) {
      num_problems += problem.count;
      if (num_named++ < kMostNamed) {
        PrintError(fmt::format("{}: incomplete: {}: {}{}\n", command, Name(problem.kind),
                               problem.message,
                               problem.count > 1 ? fmt::format(" ({} times)", problem.count) : ""));
      }
    }
  }
  if (num_named > kMostNamed) {
    PrintError(fmt::format("{}: incomplete: {} more problems\n", command, num_named - kMostNamed));
  }
  if (!is_quiet) {
    size_t num_notices = 0;
    for (const lake::Problem& notice : report.notices) {
      if (num_notices++ < kMostNamed) {
        PrintError(fmt::format("{}: note: {}\n", command, notice.message));
      }
    }
  }
  return num_problems > 0;
}

void PrintRemark(const ArchiveFlags& flags, const std::string& text) {
  if (!flags.is_quiet) {
    PrintError(text + "\n");
  }
}

bool HasColor(const ArchiveFlags& flags) {
  return flags.color == "always" || (flags.color == "auto" && TakesColor(stdout));
}

std::string ShowCount(int64_t number) {
  std::string text = fmt::format("{}", number);
  const size_t first = number < 0 ? 1 : 0;
  for (size_t at = text.size(); at > first + 3;) {
    at -= 3;
    text.insert(at, ",");
  }
  return text;
}

std::string ShowCountOf(int64_t number, std::string_view noun) {
  if (number != 1 && noun.ends_with('y')) {
    return fmt::format("{} {}ies", ShowCount(number), noun.substr(0, noun.size() - 1));
  }
  return fmt::format("{} {}{}", ShowCount(number), noun, number == 1 ? "" : "s");
}

int64_t NowNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace df::app
