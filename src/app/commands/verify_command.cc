#include "app/commands/verify_command.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/commands/archive_flags.h"
#include "app/commands/exit_codes.h"
#include "app/commands/item_source.h"
#include "app/commands/receipt_digests.h"
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
  std::vector<std::string> against;
  bool is_fast = false;
};

/// One signal on both sides.
struct Compared {
  otap::Signal signal = otap::Signal::kLogs;
  otlp::ItemSum here;
  otlp::ItemSum there;
  std::optional<otlp::ItemDifference::Result> difference;  ///< nothing: only sums are known
  std::optional<DeliveredDigest> delivered;                ///< what a receipt says of it
  bool is_equal() const { return here == there; }
};

/// What is read. Owner: owns its archive.
struct Side {
  std::unique_ptr<Archive> archive;  ///< null: it is files of OTLP
  std::unique_ptr<ItemSource> items;
};

/// What came out.
struct Found {
  std::string place;
  std::vector<otap::Signal> signals;
  std::vector<Compared> compared;          ///< empty without `--against`
  std::vector<otlp::ItemDigest> digests;   ///< by signal; empty with `--against` or `--fast`
  std::optional<lake::ReadReport> report;  ///< nothing: it is no archive
  bool is_other_whole = true;
  bool has_partitions = true;
};

/// Opens an archive, or files of OTLP. Errors: where it is neither, what it is not.
Result<Side> OpenSide(const Flags& flags, const std::string& path,
                      const std::vector<otap::Signal>& signals) {
  Side side;
  const auto resolved = ResolvePath(path);
  if (resolved.ok()) {
    ArchiveFlags archive = flags.archive;
    archive.path = path;
    ARROW_ASSIGN_OR_RAISE(side.archive, OpenArchive(archive, flags.selection, signals));
    side.items = MakeArchiveSource(side.archive.get());
    return side;
  }
  auto files = MakeFileSource(path);
  if (!files.ok()) {
    return path == flags.archive.path ? resolved.status() : files.status();
  }
  side.items = *std::move(files);
  return side;
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
                      .difference = otlp::ItemDifference::Result{},
                      .delivered = std::nullopt};
    if (!compared.is_equal()) {
      ARROW_RETURN_NOT_OK(
          FindDifference(here, there, ours[index].DifferentBuckets(theirs[index]), &compared));
    }
    all.push_back(std::move(compared));
  }
  return all;
}

/// Compares with what was delivered.
Result<std::vector<Compared>> CompareWithReceipts(ItemSource* here,
                                                  const DeliveredDigests& delivered,
                                                  const std::vector<otap::Signal>& signals) {
  ARROW_ASSIGN_OR_RAISE(const auto ours, DigestItems(here, signals));
  std::vector<Compared> all;
  for (const otap::Signal signal : signals) {
    const auto index = static_cast<size_t>(signal);
    const DeliveredDigest said = delivered[index].value_or(DeliveredDigest{});
    all.push_back({.signal = signal,
                   .here = ours[index].Sum(),
                   .there = said.sum,
                   .difference = std::nullopt,
                   .delivered = said});
  }
  return all;
}

std::string Line(const std::string& text) {
  std::string line;
  AppendLine(text, &line);
  return line;
}

/// Why what is here may be more than what a receipt has in its sum.
std::string DescribeUnsure(const DeliveredDigest& delivered) {
  std::string text;
  if (delivered.num_without > 0) {
    text += fmt::format(
        "  {} items of batches that were refused in part were taken and are in no "
        "digest\n",
        ShowCount(delivered.num_without));
  }
  if (delivered.num_in_flight > 0) {
    text += fmt::format("  {} items were sent without an outcome: they may have arrived\n",
                        ShowCount(delivered.num_in_flight));
  }
  return text;
}

std::string DescribeCompared(const Compared& compared, const std::string& other) {
  const std::string_view name = ItemsName(compared.signal);
  if (compared.is_equal()) {
    return fmt::format("{}: the same {} items, digest {}\n", name, ShowCount(compared.here.count),
                       compared.here.Hex());
  }
  if (!compared.difference.has_value()) {
    return fmt::format("{}: not what was delivered: {} here, {} by {}; digests {} and {}\n", name,
                       ShowCount(compared.here.count), ShowCount(compared.there.count), Line(other),
                       compared.here.Hex(), compared.there.Hex()) +
           DescribeUnsure(*compared.delivered);
  }
  const otlp::ItemDifference::Result& difference = *compared.difference;
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

std::string ProblemsText(const lake::ReadReport& report, const Flags& flags) {
  std::string text;
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
  return text + (num_problems == 0
                     ? fmt::format("{}no problems{}\n",
                                   flags.against.empty() ? "" : "in the archive itself: ",
                                   flags.is_fast ? " in footers" : "")
                     : fmt::format("{} problems\n", ShowCount(num_problems)));
}

std::string TextOf(const Found& found, const Flags& flags) {
  std::string text;
  for (const Compared& one : found.compared) {
    text += DescribeCompared(one, fmt::format("{}", fmt::join(flags.against, ", ")));
  }
  if (!found.digests.empty()) {
    for (const otap::Signal signal : found.signals) {
      const otlp::ItemSum sum = found.digests[static_cast<size_t>(signal)].Sum();
      text += fmt::format("{}: {} items read, digest {}\n", ItemsName(signal), ShowCount(sum.count),
                          sum.Hex());
    }
  }
  return text + (found.report.has_value() ? ProblemsText(*found.report, flags) : "");
}

Json ComparedJson(const Compared& compared) {
  Json json = {{"items", compared.there.count},
               {"digest", compared.there.Hex()},
               {"equal", compared.is_equal()}};
  const auto& difference = compared.difference;
  json["only_here"] = difference.has_value() ? Json(difference->only_first) : Json();
  json["only_there"] = difference.has_value() ? Json(difference->only_second) : Json();
  json["all_counted"] = difference.has_value() && difference->is_complete;
  if (compared.delivered.has_value()) {
    json["items_without"] = compared.delivered->num_without;
    json["in_flight"] = compared.delivered->num_in_flight;
  }
  return json;
}

std::string JsonOf(const Found& found, const Flags& flags) {
  Json signals = Json::object();
  for (const otap::Signal signal : found.signals) {
    signals[std::string(otap::Name(signal))] = Json::object();
    if (!found.digests.empty()) {
      const otlp::ItemSum sum = found.digests[static_cast<size_t>(signal)].Sum();
      signals[std::string(otap::Name(signal))] = {{"items", sum.count}, {"digest", sum.Hex()}};
    }
  }
  for (const Compared& compared : found.compared) {
    signals[std::string(otap::Name(compared.signal))] = {{"items", compared.here.count},
                                                         {"digest", compared.here.Hex()},
                                                         {"against", ComparedJson(compared)}};
  }
  Json problems = Json::array();
  Json notices = Json::array();
  if (found.report.has_value()) {
    problems = ProblemsJson(found.report->problems);
    for (Json& problem : ProblemsJson(found.report->latest)) {
      problems.push_back(std::move(problem));
    }
    notices = ProblemsJson(found.report->notices);
  }
  const Json json = {{"base", found.place},
                     {"fast", flags.is_fast},
                     {"signals", std::move(signals)},
                     {"problems", std::move(problems)},
                     {"more_problems", found.report.has_value() ? found.report->num_forgotten : 0},
                     {"notices", std::move(notices)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// Compares with what `--against` names: receipts, or one archive or place of OTLP.
Status Compare(const Flags& flags, ItemSource* here, Found* found) {
  const bool are_receipts = IsReceipt(flags.against.front());
  for (const std::string& one : flags.against) {
    if (flags.against.size() > 1 && !IsReceipt(one)) {
      return Status::Invalid(
          fmt::format("--against: found {} places, of which '{}' is no receipt; expected one "
                      "place, or receipts",
                      flags.against.size(), PrintableText(one)));
    }
  }
  if (are_receipts) {
    auto delivered = ReadReceiptDigests(flags.against);
    if (!delivered.ok()) {
      return Status::Invalid("--against: " + delivered.status().message());
    }
    ARROW_ASSIGN_OR_RAISE(found->compared, CompareWithReceipts(here, *delivered, found->signals));
    return Status::OK();
  }
  auto other = OpenSide(flags, flags.against.front(), found->signals);
  if (!other.ok()) {
    return Status::Invalid("--against: " + other.status().message());
  }
  ARROW_ASSIGN_OR_RAISE(found->compared, CompareAll(here, other->items.get(), found->signals));
  found->is_other_whole = other->archive == nullptr ||
                          !PrintProblems(std::string(kName) + ": --against", *other->archive, true);
  return Status::OK();
}

Result<Found> Read(const Flags& flags, const std::vector<otap::Signal>& signals) {
  Found found;
  ARROW_ASSIGN_OR_RAISE(const Side here, OpenSide(flags, flags.archive.path, signals));
  if (here.archive != nullptr) {
    found.place = here.archive->options().path.base;
    found.signals = here.archive->options().signals;
  } else {
    if (flags.is_fast || HasConditions(flags.selection)) {
      return Status::Invalid(fmt::format("'{}' is OTLP: --fast and conditions are for archives",
                                         PrintableText(flags.archive.path)));
    }
    found.place = flags.archive.path;
    found.signals = signals;
    if (signals.empty()) {
      found.signals.assign(otap::kAllSignals.begin(), otap::kAllSignals.end());
    }
  }
  if (!flags.against.empty()) {
    ARROW_RETURN_NOT_OK(Compare(flags, here.items.get(), &found));
  } else if (!flags.is_fast) {
    ARROW_ASSIGN_OR_RAISE(found.digests, DigestItems(here.items.get(), found.signals));
  }
  if (here.archive != nullptr) {
    found.report = here.archive->Report();
    found.has_partitions = !here.archive->partitions().empty();
  }
  return found;
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
  const auto found = Read(flags, signals);
  if (!found.ok()) {
    return FailCommand(name, found.status());
  }
  const int code =
      PrintAnswer(flags.archive.is_json ? JsonOf(*found, flags) : TextOf(*found, flags));
  const bool is_equal = std::all_of(found->compared.begin(), found->compared.end(),
                                    [](const Compared& one) { return one.is_equal(); });
  const bool is_whole = !found->report.has_value() ||
                        (found->report->problems.empty() && found->report->num_forgotten == 0);
  return code != kExitClean                                 ? code
         : !is_equal || !is_whole || !found->is_other_whole ? kExitIncomplete
         : !found->has_partitions                           ? kExitNothingFound
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
                  "Compare the items, in any order, with another archive, a file or folder of "
                  "OTLP, or the receipt of a replay with --digest; receipts may be given again")
      ->excludes(fast)
      ->allow_extra_args(false)
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
