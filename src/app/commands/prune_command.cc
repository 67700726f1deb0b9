#include "app/commands/prune_command.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
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
#include "app/commands/exit_codes.h"
#include "app/commands/moment.h"
#include "app/commands/seal_updates.h"
#include "app/standard_output.h"
#include "base/text.h"

namespace df::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kName = "df_engine prune";

struct Flags {
  ArchiveFlags archive;
  std::string older_than;
  bool is_plan = false;
  bool keeps_old = false;
};

struct Outcome {
  int64_t before_nanos = 0;  ///< what has ended before this goes
  std::vector<const lake::PartitionWork*> going;
  int64_t num_files = 0;
  int64_t size_bytes = 0;
  int64_t num_newer = 0;
  std::vector<PartitionLeft> left;
};

/// Returns the time of the newest record or data point of a partition. Nothing where its footers do
/// not tell it.
std::optional<int64_t> LastTimeOf(const lake::PartitionFiles& files) {
  int64_t last = std::numeric_limits<int64_t>::min();
  for (const otap::TableInfo& table : otap::AllTables()) {
    const bool is_points = table.parent == otap::TableKind::kUnivariateMetrics &&
                           !table.is_attributes && !table.is_root();
    const bool is_records = table.is_root() && !table.has_signal(otap::Signal::kMetrics);
    if (!is_points && !is_records) {
      continue;
    }
    for (const lake::FileSummaryPtr& file : files.of(table.kind)) {
      for (const lake::RowGroupSummary& group : file->row_groups) {
        // A record without a time has the time 0, which says nothing of its age.
        if (group.num_rows > 0 && (!group.times.has_value() || group.times->least <= 0)) {
          return std::nullopt;
        }
        last = group.num_rows > 0 ? std::max(last, group.times->most) : last;
      }
    }
  }
  return last == std::numeric_limits<int64_t>::min() ? std::nullopt : std::optional(last);
}

void Choose(const Archive& archive, int64_t now_nanos, Outcome* outcome) {
  for (const lake::PartitionWork& partition : archive.partitions()) {
    const std::optional<int64_t> last = LastTimeOf(*partition.files);
    if (last.has_value() && *last >= outcome->before_nanos) {
      ++outcome->num_newer;
      continue;
    }
    std::optional<PartitionLeft> left = WhyLeft(partition, std::chrono::nanoseconds(0), now_nanos);
    if (!left.has_value() && !last.has_value()) {
      left = PartitionLeft{.partition = partition.files->partition,
                           .reason =
                               "how old its records are is not known: some have no time, or "
                               "files do not say"};
    }
    if (left.has_value()) {
      outcome->left.push_back(*std::move(left));
      continue;
    }
    if (std::string why = WhyInUse(archive.base(), partition); !why.empty()) {
      outcome->left.push_back({partition.files->partition, std::move(why)});
      continue;
    }
    outcome->going.push_back(&partition);
    for (const lake::FileSummaryPtr& file : FilesOf(partition)) {
      ++outcome->num_files;
      outcome->size_bytes += file->entry.size_bytes;
    }
  }
}

Status Remove(const Outcome& outcome, bool keeps_old, ArchiveToRewrite* target) {
  lake::Compaction compaction{.id = NewCompactionId(NowNanos()),
                              .reason = "prune",
                              .begun_nanos = NowNanos(),
                              .keeps_old = keeps_old,
                              .old_files = {},
                              .new_files = {}};
  std::vector<std::string> partitions;
  std::set<std::string> levels;
  for (const lake::PartitionWork* partition : outcome.going) {
    partitions.push_back(partition->files->partition);
    levels.emplace(lake::LevelOfPartition(partition->files->partition));
  }
  SealUpdates seals(&target->archive->store(), target->archive->base());
  for (const std::string& level : levels) {
    seals.Take(level, partitions, {});
  }
  compaction.old_files = seals.files();
  for (const bool is_root : {true, false}) {
    for (const lake::PartitionWork* partition : outcome.going) {
      for (const lake::FileSummaryPtr& file : FilesOf(*partition)) {
        if (otap::GetTable(file->kind).is_root() == is_root) {
          compaction.old_files.push_back(file->entry.path);
        }
      }
    }
  }
  ARROW_RETURN_NOT_OK(target->journal->Run(std::move(compaction)));
  return seals.Write(NowNanos());
}

std::string TextOf(const Outcome& outcome, const Flags& flags) {
  return DescribeLeft(outcome.left, flags.archive.is_quiet) +
         fmt::format("{} ({}, {}) with records before {} only {} removed; {} {} newer\n",
                     ShowCountOf(std::ssize(outcome.going), "partition"),
                     ShowCountOf(outcome.num_files, "file"), FormatSize(outcome.size_bytes),
                     ShowMoment(outcome.before_nanos), flags.is_plan ? "would be" : "were",
                     ShowCountOf(outcome.num_newer, "partition"),
                     outcome.num_newer == 1 ? "is" : "are");
}

std::string JsonOf(const Outcome& outcome, const Flags& flags, const Archive& archive) {
  Json removed = Json::array();
  for (const lake::PartitionWork* partition : outcome.going) {
    removed.push_back(partition->files->partition);
  }
  Json left = Json::array();
  for (const PartitionLeft& one : outcome.left) {
    left.push_back({{"partition", one.partition}, {"reason", one.reason}, {"fault", one.is_fault}});
  }
  const Json json = {{"base", archive.options().path.base},
                     {"plan", flags.is_plan},
                     {"before_unix_nano", outcome.before_nanos},
                     {"removed", std::move(removed)},
                     {"files", outcome.num_files},
                     {"bytes", outcome.size_bytes},
                     {"newer_partitions", outcome.num_newer},
                     {"left", std::move(left)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

int Prune(const Flags& flags) {
  const std::string name(kName);
  const auto age = ParseDuration(flags.older_than);
  if (!age.ok()) {
    return FailCommand(name, Status::Invalid("--older-than: ", age.status().message()));
  }
  auto target = OpenForRewriting(name, flags.archive, flags.is_plan);
  if (!target.ok()) {
    return FailCommand(name, target.status());
  }
  Outcome outcome{.before_nanos = NowNanos() - age->count(), .going = {}, .left = {}};
  Choose(*target->archive, NowNanos(), &outcome);
  if (!flags.is_plan && !outcome.going.empty()) {
    if (const Status status = Remove(outcome, flags.keeps_old, &*target); !status.ok()) {
      return FailCommand(name, status);
    }
  }
  if (target->journal != nullptr) {
    TellSetAside(name, flags.archive, *target->journal);
  }
  const bool has_problems = PrintProblems(name, *target->archive, flags.archive.is_quiet);
  const int code = PrintAnswer(flags.archive.is_json ? JsonOf(outcome, flags, *target->archive)
                                                     : TextOf(outcome, flags));
  const bool has_faults = std::any_of(outcome.left.begin(), outcome.left.end(),
                                      [](const PartitionLeft& one) { return one.is_fault; });
  return code != kExitClean ? code : has_faults || has_problems ? kExitIncomplete : kExitClean;
}

}  // namespace

int PruneCommand(int argc, char** argv) {
  CLI::App command(
      "Removes the partitions of an archive whose records and data points are all older than some "
      "time.",
      std::string(kName));
  Flags flags;
  AddArchiveFlags(&command, &flags.archive);
  command
      .add_option("--older-than", flags.older_than,
                  "Remove partitions whose newest record happened longer ago")
      ->required()
      ->type_name("DURATION");
  command.add_flag("--plan", flags.is_plan, "Say what would be done, and change nothing");
  command.add_flag("--keep", flags.keeps_old,
                   "Move the files to _compactions in the archive in place of removing them");
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  return Prune(flags);
}

}  // namespace df::app
