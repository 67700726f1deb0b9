#include "app/commands/verify_command.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/commands/archive_flags.h"
#include "app/commands/exit_codes.h"
#include "app/commands/item_source.h"
#include "app/commands/signal_names.h"
#include "app/commands/value_json.h"
#include "app/standard_output.h"
#include "base/text.h"

namespace df::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kName = "df_engine verify";

struct Flags {
  ArchiveFlags archive;
  SelectionFlags selection;
  std::vector<std::string> signals;
  std::string against;
  bool is_fast = false;
};

/// One signal on both sides.
struct Compared {
  otap::Signal signal = otap::Signal::kLogs;
  otlp::ItemSum here;
  otlp::ItemSum there;
  otlp::ItemDifference::Result difference;
  bool is_equal() const { return here == there; }
};

/// The other side of a comparison. Owner: owns its archive.
struct OtherSide {
  std::unique_ptr<Archive> archive;
  std::unique_ptr<ItemSource> items;
};

Result<OtherSide> OpenOther(const Flags& flags, const std::vector<otap::Signal>& signals) {
  OtherSide other;
  const auto path = ResolvePath(flags.against);
  if (path.ok()) {
    ArchiveFlags archive = flags.archive;
    archive.path = flags.against;
    ARROW_ASSIGN_OR_RAISE(other.archive, OpenArchive(archive, flags.selection, signals));
    other.items = MakeArchiveSource(other.archive.get());
    return other;
  }
  auto files = MakeFileSource(flags.against);
  if (!files.ok()) {
    return Status::Invalid("--against: " + files.status().message());
  }
  other.items = *std::move(files);
  return other;
}

/// Reads both sides once more where they differ.
Status FindDifference(ItemSource* here, ItemSource* there, std::vector<bool> buckets,
                      Compared* compared) {
  otlp::ItemDifference difference(compared->signal, std::move(buckets));
  std::mutex mutex;
  for (ItemSource* side : {here, there}) {
    ARROW_RETURN_NOT_OK(
        side->Read({compared->signal}, [&](otap::Signal, std::string_view request, size_t) {
          const std::lock_guard lock(mutex);
          return difference.Add(request, side == here);
        }));
  }
  compared->difference = difference.Compare();
  return Status::OK();
}

Result<std::vector<Compared>> CompareAll(ItemSource* here, ItemSource* there,
                                         const std::vector<otap::Signal>& signals) {
  ARROW_ASSIGN_OR_RAISE(const auto ours, DigestItems(here, signals));
  ARROW_ASSIGN_OR_RAISE(const auto theirs, DigestItems(there, signals));
  std::vector<Compared> all;
  for (const otap::Signal signal : signals) {
    const auto index = static_cast<size_t>(signal);
    Compared compared{.signal = signal,
                      .here = ours[index].Sum(),
                      .there = theirs[index].Sum(),
                      .difference = {}};
    if (!compared.is_equal()) {
      ARROW_RETURN_NOT_OK(
          FindDifference(here, there, ours[index].DifferentBuckets(theirs[index]), &compared));
    }
    all.push_back(std::move(compared));
  }
  return all;
}

std::string Line(const std::string& text) {
  std::string line;
  AppendLine(text, &line);
  return line;
}

std::string DescribeCompared(const Compared& compared, const std::string& other) {
  const std::string_view name = ItemsName(compared.signal);
  if (compared.is_equal()) {
    return fmt::format("{}: the same {} items, digest {}\n", name, ShowCount(compared.here.count),
                       compared.here.Hex());
  }
  const otlp::ItemDifference::Result& difference = compared.difference;
  std::string text =
      fmt::format("{}: {} here, {} in {}; {}{} only here, {} only there\n", name,
                  ShowCount(compared.here.count), ShowCount(compared.there.count), Line(other),
                  difference.is_complete ? "" : "at least ", ShowCount(difference.only_first),
                  ShowCount(difference.only_second));
  for (const std::string& example : difference.examples_first) {
    text += "  only here:  " + Line(example) + "\n";
  }
  for (const std::string& example : difference.examples_second) {
    text += "  only there: " + Line(example) + "\n";
  }
  return text;
}

Json ProblemsJson(const lake::ProblemList& problems) {
  Json list = Json::array();
  for (const lake::Problem& problem : problems) {
    list.push_back(
        {{"kind", Name(problem.kind)}, {"message", problem.message}, {"count", problem.count}});
  }
  return list;
}

std::string TextOf(const std::vector<Compared>& compared,
                   const std::vector<otlp::ItemDigest>& digests, const Archive& archive,
                   const Flags& flags) {
  const lake::ReadReport report = archive.Report();
  std::string text;
  for (const Compared& one : compared) {
    text += DescribeCompared(one, flags.against);
  }
  if (compared.empty() && !flags.is_fast) {
    for (const otap::Signal signal : archive.options().signals) {
      const otlp::ItemSum sum = digests[static_cast<size_t>(signal)].Sum();
      text += fmt::format("{}: {} items read, digest {}\n", ItemsName(signal), ShowCount(sum.count),
                          sum.Hex());
    }
  }
  int64_t num_problems = report.num_forgotten;
  for (const auto* problems : {&report.problems, &report.latest}) {
    for (const lake::Problem& problem : *problems) {
      num_problems += problem.count;
      text += fmt::format("problem: {}: {}{}\n", Name(problem.kind), Line(problem.message),
                          problem.count > 1 ? fmt::format(" ({} times)", problem.count) : "");
    }
  }
  if (!flags.archive.is_quiet) {
    for (const lake::Problem& notice : report.notices) {
      text += fmt::format("note: {}\n", Line(notice.message));
    }
  }
  text += num_problems == 0 ? fmt::format("no problems{}\n", flags.is_fast ? " in footers" : "")
                            : fmt::format("{} problems\n", ShowCount(num_problems));
  return text;
}

std::string JsonOf(const std::vector<Compared>& compared,
                   const std::vector<otlp::ItemDigest>& digests, const Archive& archive,
                   const Flags& flags) {
  const lake::ReadReport report = archive.Report();
  Json signals = Json::object();
  for (const otap::Signal signal : archive.options().signals) {
    Json one = Json::object();
    if (!flags.is_fast) {
      const otlp::ItemSum sum =
          compared.empty()
              ? digests[static_cast<size_t>(signal)].Sum()
              : std::find_if(compared.begin(), compared.end(), [signal](const Compared& other) {
                  return other.signal == signal;
                })->here;
      one = {{"items", sum.count}, {"digest", sum.Hex()}};
    }
    for (const Compared& other : compared) {
      if (other.signal == signal) {
        one["against"] = {{"items", other.there.count},
                          {"digest", other.there.Hex()},
                          {"equal", other.is_equal()},
                          {"only_here", other.difference.only_first},
                          {"only_there", other.difference.only_second},
                          {"all_counted", other.difference.is_complete}};
      }
    }
    signals[std::string(otap::Name(signal))] = std::move(one);
  }
  Json problems = ProblemsJson(report.problems);
  for (Json& problem : ProblemsJson(report.latest)) {
    problems.push_back(std::move(problem));
  }
  const Json json = {
      {"base", archive.options().path.base},   {"fast", flags.is_fast},
      {"signals", std::move(signals)},         {"problems", std::move(problems)},
      {"more_problems", report.num_forgotten}, {"notices", ProblemsJson(report.notices)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

int Verify(const Flags& flags) {
  const std::string name(kName);
  std::vector<otap::Signal> signals;
  for (const std::string& one : flags.signals) {
    const auto signal = FindSignalName(one);
    if (!signal.ok()) {
      return FailCommand(name, Status::Invalid("--signal: " + signal.status().message()));
    }
    signals.push_back(*signal);
  }
  auto archive = OpenArchive(flags.archive, flags.selection, signals);
  if (!archive.ok()) {
    return FailCommand(name, archive.status());
  }
  const std::vector<otap::Signal>& opened = (*archive)->options().signals;
  const auto here = MakeArchiveSource(archive->get());
  std::vector<Compared> compared;
  std::vector<otlp::ItemDigest> digests;
  bool is_other_whole = true;
  if (!flags.against.empty()) {
    auto other = OpenOther(flags, opened);
    if (!other.ok()) {
      return FailCommand(name, other.status());
    }
    auto all = CompareAll(here.get(), other->items.get(), opened);
    if (!all.ok()) {
      return FailCommand(name, all.status());
    }
    compared = *std::move(all);
    is_other_whole =
        other->archive == nullptr || !PrintProblems(name + ": --against", *other->archive, true);
  } else if (!flags.is_fast) {
    auto all = DigestItems(here.get(), opened);
    if (!all.ok()) {
      return FailCommand(name, all.status());
    }
    digests = *std::move(all);
  }
  const int code = PrintAnswer(flags.archive.is_json ? JsonOf(compared, digests, **archive, flags)
                                                     : TextOf(compared, digests, **archive, flags));
  const lake::ReadReport report = (*archive)->Report();
  const bool is_equal = std::all_of(compared.begin(), compared.end(),
                                    [](const Compared& one) { return one.is_equal(); });
  const bool is_whole = report.problems.empty() && report.num_forgotten == 0;
  return code != kExitClean                          ? code
         : !is_equal || !is_whole || !is_other_whole ? kExitIncomplete
         : (*archive)->partitions().empty()          ? kExitNothingFound
                                                     : kExitClean;
}

}  // namespace

int VerifyCommand(int argc, char** argv) {
  CLI::App command("Reads all of an archive and says what is missing, damaged or doubtful.",
                   std::string(kName));
  Flags flags;
  AddArchiveFlags(&command, &flags.archive);
  CLI::Option* fast =
      command.add_flag("--fast", flags.is_fast, "Look at the listing, footers and seals only");
  command
      .add_option("--against", flags.against,
                  "Compare the items, in any order, with another archive, or a file or folder of "
                  "OTLP")
      ->excludes(fast)
      ->type_name("PLACE");
  command.add_option("--signal", flags.signals, "logs, spans or points; may be given again")
      ->allow_extra_args(false)
      ->type_name("SIGNAL");
  AddSelectionFlags(&command, &flags.selection);
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  return Verify(flags);
}

}  // namespace df::app
