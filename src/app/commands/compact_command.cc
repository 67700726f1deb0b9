#include "app/commands/compact_command.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/commands/archive_flags.h"
#include "app/commands/archive_rewrite.h"
#include "app/commands/compaction_plan.h"
#include "app/commands/compactor.h"
#include "app/commands/exit_codes.h"
#include "app/commands/signal_names.h"
#include "app/standard_output.h"
#include "base/text.h"

namespace df::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kName = "df_engine compact";

/// How long it is said what became of old files.
constexpr int64_t kRememberedNanos = int64_t{7} * 24 * 3600 * 1'000'000'000;

struct Flags {
  ArchiveFlags archive;
  std::string target_size;
  std::string older_than;
  std::string by;
  bool is_plan = false;
  bool keeps_old = false;
};

Result<CompactionWishes> ReadWishes(const Flags& flags) {
  CompactionWishes wishes;
  if (!flags.target_size.empty()) {
    const auto size = ParseSize(flags.target_size);
    if (!size.ok() || *size < 1) {
      return Status::Invalid("--target-size: ",
                             size.ok() ? "expected more than nothing" : size.status().message());
    }
    wishes.target_bytes = *size;
  }
  if (!flags.older_than.empty()) {
    const auto age = ParseDuration(flags.older_than);
    if (!age.ok()) {
      return Status::Invalid("--older-than: ", age.status().message());
    }
    wishes.older_than = *age;
  }
  if (!flags.by.empty()) {
    wishes.by = flags.by == "none"  ? lake::TimeLevels::kNone
                : flags.by == "day" ? lake::TimeLevels::kDay
                                    : lake::TimeLevels::kHour;
  }
  return wishes;
}

/// What a run has done, or would do.
struct Outcome {
  CompactionPlan plan;
  std::vector<CompactedGroup> done;
  std::vector<Status> failed;
  std::vector<PartitionLeft> left;
  bool has_faults() const {
    for (const PartitionLeft& one : left) {
      if (one.is_fault) {
        return true;
      }
    }
    return !failed.empty();
  }
};

std::string Sizes(int64_t num_partitions, int64_t num_files, int64_t size_bytes) {
  return fmt::format("{} ({}, {})", ShowCountOf(num_partitions, "partition"),
                     ShowCountOf(num_files, "file"), FormatSize(size_bytes));
}

std::string ShowLevel(const std::string& level) { return level.empty() ? "all" : level; }

std::string TextOf(const Outcome& outcome, const Flags& flags) {
  std::string text;
  int64_t old_partitions = 0;
  int64_t new_partitions = 0;
  int64_t old_bytes = 0;
  int64_t new_bytes = 0;
  if (flags.is_plan) {
    for (const CompactionGroup& group : outcome.plan.groups) {
      text += fmt::format("{}: {} would become one{}\n", ShowLevel(group.level),
                          Sizes(std::ssize(group.partitions), group.num_files, group.size_bytes),
                          group.by == lake::TimeLevels::kNone  ? ""
                          : group.by == lake::TimeLevels::kDay ? " a day"
                                                               : " an hour");
    }
  }
  for (const CompactedGroup& group : outcome.done) {
    old_partitions += std::ssize(group.old_partitions);
    new_partitions += std::ssize(group.new_partitions);
    old_bytes += group.old_bytes;
    new_bytes += group.new_bytes;
    std::string items;
    for (const otap::Signal signal : otap::kAllSignals) {
      const otlp::ItemSum& sum = group.items[static_cast<size_t>(signal)];
      if (sum.count > 0) {
        items += fmt::format("{}{} {}", items.empty() ? "" : ", ", ShowCount(sum.count),
                             ItemsName(signal));
      }
    }
    items = items.empty() ? "metrics without data points" : items;
    text += fmt::format("{} became {}: {}, the same item by item\n",
                        Sizes(std::ssize(group.old_partitions), group.old_files, group.old_bytes),
                        Sizes(std::ssize(group.new_partitions), group.new_files, group.new_bytes),
                        items);
  }
  text += DescribeLeft(outcome.left, flags.archive.is_quiet);
  const std::string large = fmt::format("{} {} large enough, or one set of files already",
                                        ShowCountOf(outcome.plan.num_large, "partition"),
                                        outcome.plan.num_large == 1 ? "is" : "are");
  return flags.is_plan
             ? text + fmt::format("{} would be written anew; {}; nothing was changed\n",
                                  ShowCountOf(std::ssize(outcome.plan.groups), "group"), large)
             : text + fmt::format("{} became {}, {} became {}; {}\n",
                                  ShowCountOf(old_partitions, "partition"),
                                  ShowCount(new_partitions), FormatSize(old_bytes),
                                  FormatSize(new_bytes), large);
}

std::string JsonOf(const Outcome& outcome, const Flags& flags, const Archive& archive) {
  Json groups = Json::array();
  if (flags.is_plan) {
    for (const CompactionGroup& group : outcome.plan.groups) {
      Json partitions = Json::array();
      for (const size_t index : group.partitions) {
        partitions.push_back(archive.partitions()[index].files->partition);
      }
      groups.push_back({{"level", group.level},
                        {"partitions", std::move(partitions)},
                        {"files", group.num_files},
                        {"bytes", group.size_bytes}});
    }
  }
  for (const CompactedGroup& group : outcome.done) {
    Json items = Json::object();
    for (const otap::Signal signal : otap::kAllSignals) {
      const otlp::ItemSum& sum = group.items[static_cast<size_t>(signal)];
      if (sum.count > 0) {
        items[std::string(otap::Name(signal))] = {{"items", sum.count}, {"digest", sum.Hex()}};
      }
    }
    groups.push_back({{"old_partitions", group.old_partitions},
                      {"old_files", group.old_files},
                      {"old_bytes", group.old_bytes},
                      {"new_partitions", group.new_partitions},
                      {"new_files", group.new_files},
                      {"new_bytes", group.new_bytes},
                      {"signals", std::move(items)}});
  }
  Json left = Json::array();
  for (const PartitionLeft& one : outcome.left) {
    left.push_back({{"partition", one.partition}, {"reason", one.reason}, {"fault", one.is_fault}});
  }
  Json failed = Json::array();
  for (const Status& status : outcome.failed) {
    failed.push_back(status.message());
  }
  const Json json = {{"base", archive.options().path.base},
                     {"plan", flags.is_plan},
                     {"groups", std::move(groups)},
                     {"large_partitions", outcome.plan.num_large},
                     {"left", std::move(left)},
                     {"failed", std::move(failed)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

int Compact(const Flags& flags) {
  const std::string name(kName);
  const auto wishes = ReadWishes(flags);
  if (!wishes.ok()) {
    return FailCommand(name, wishes.status());
  }
  auto target = OpenForRewriting(name, flags.archive, flags.is_plan);
  if (!target.ok()) {
    return FailCommand(name, target.status());
  }
  Archive& archive = *target->archive;
  Outcome outcome;
  outcome.plan = PlanCompaction(archive.partitions(), *wishes, NowNanos());
  outcome.left = outcome.plan.left;
  if (!flags.is_plan) {
    Compactor compactor(&archive, target->journal.get(), target->store.get(),
                        {.base = archive.base(),
                         .target_bytes = wishes->target_bytes,
                         .memory_limit_bytes = archive.options().memory_limit_bytes,
                         .keeps_old = flags.keeps_old,
                         .now_nanos = NowNanos});
    for (const CompactionGroup& group : outcome.plan.groups) {
      auto done = compactor.Run(group, &outcome.left);
      if (!done.ok()) {
        outcome.failed.push_back(done.status());
        PrintRemark({}, fmt::format("{}: {}", name, done.status().message()));
      } else if (done->has_value()) {
        outcome.done.push_back(**std::move(done));
      }
    }
    target->journal->ForgetBefore(NowNanos() - kRememberedNanos);
  }
  if (target->journal != nullptr) {
    TellSetAside(name, flags.archive, *target->journal);
  }
  const bool has_problems = PrintProblems(name, archive, flags.archive.is_quiet);
  const int code =
      PrintAnswer(flags.archive.is_json ? JsonOf(outcome, flags, archive) : TextOf(outcome, flags));
  return code != kExitClean                     ? code
         : outcome.has_faults() || has_problems ? kExitIncomplete
                                                : kExitClean;
}

}  // namespace

int CompactCommand(int argc, char** argv) {
  CLI::App command(
      "Writes small partitions of an archive anew as large ones, in the order of time, compares "
      "them item by item, and puts them in the place of the old ones.",
      std::string(kName));
  Flags flags;
  AddArchiveFlags(&command, &flags.archive);
  command
      .add_option("--target-size", flags.target_size,
                  "Size of the files of a partition together; those of half of it stay; default "
                  "256MiB")
      ->type_name("SIZE");
  command
      .add_option("--older-than", flags.older_than,
                  "Leave partitions that have a file younger than this; default 1h")
      ->type_name("DURATION");
  command
      .add_option("--by", flags.by,
                  "Folders of times for the new partitions: none, day or hour; default: those of "
                  "the old ones")
      ->check(CLI::IsMember({"none", "day", "hour"}).description(""))
      ->type_name("LEVEL");
  command.add_flag("--plan", flags.is_plan, "Say what would be done, and change nothing");
  command.add_flag("--keep", flags.keeps_old,
                   "Move the old files to _compactions in the archive in place of removing them");
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  return Compact(flags);
}

}  // namespace df::app
