#include "app/commands/compaction_plan.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "lake/catalog/level_seal.h"

namespace df::app {
namespace {

/// Reasons that are named.
constexpr size_t kMostReasons = 20;

constexpr std::string_view kPartitionKey = "_part_id=";

/// Returns the folders of times that a level consists of; nothing where it has other folders.
std::optional<lake::TimeLevels> LevelsOf(std::string_view level) {
  if (level.empty()) {
    return lake::TimeLevels::kNone;
  }
  const size_t slash = level.find('/');
  const std::string day(level.substr(0, slash));
  if (!day.starts_with("date=")) {
    return std::nullopt;
  }
  if (slash == std::string_view::npos) {
    return lake::TimeLevels::kDay;
  }
  const std::string_view hour = level.substr(slash + 1);
  return hour.starts_with("hour=") && hour.find('/') == std::string_view::npos
             ? std::optional(lake::TimeLevels::kHour)
             : std::nullopt;
}

int64_t NewestOf(const lake::FileEntry& entry) {
  return std::max(entry.modified_nanos, entry.changed_nanos);
}

int64_t FirstTimeOf(const lake::PartitionWork& partition) {
  int64_t first = std::numeric_limits<int64_t>::max();
  for (const auto& table : partition.files->tables) {
    for (const lake::FileSummaryPtr& file : table) {
      for (const lake::RowGroupSummary& group : file->row_groups) {
        if (group.times.has_value()) {
          first = std::min(first, group.times->least);
        }
      }
    }
  }
  return first;
}

/// The signals that a partition has records of, as bits.
uint8_t SignalsOf(const lake::PartitionFiles& files) {
  uint8_t signals = 0;
  for (const otap::Signal signal : otap::kAllSignals) {
    if (!files.of(otap::RootTable(signal)).empty()) {
      signals = static_cast<uint8_t>(signals | 1U << static_cast<unsigned>(signal));
    }
  }
  return signals;
}

/// Returns the folders of a level that are left where the new partitions stand in fewer.
std::string Coarser(const std::string& level, std::optional<lake::TimeLevels> by) {
  if (!by.has_value() || *by == lake::TimeLevels::kHour) {
    return level;
  }
  return *by == lake::TimeLevels::kNone ? "" : level.substr(0, level.find('/'));
}

struct Candidate {
  size_t partition = 0;
  bool changes_level = false;
  int64_t first_time = 0;
  int64_t num_files = 0;
  int64_t size_bytes = 0;
  int64_t data_bytes = 0;  ///< of these: not of footers, which small files mostly consist of
  int64_t most_files = 0;  ///< of any table
  bool is_one_set() const { return most_files <= 1; }
};

/// Tells whether a partition is large enough and has few files. Half of the target size is enough:
/// otherwise each small addition would have the whole partition written anew.
bool IsLarge(const Candidate& candidate, int64_t target_bytes) {
  const int64_t fewest = 1 + candidate.data_bytes / target_bytes;
  return candidate.data_bytes >= target_bytes / 2 && candidate.most_files <= 2 * fewest;
}

/// What is wrong with the files by their footers; "" for nothing.
std::string FaultOf(const lake::PartitionFiles& files) {
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (files.has_unreadable[otap::TableIndex(table.kind)]) {
      return fmt::format("files of {} could not be read or listed", table.directory);
    }
    for (const lake::FileSummaryPtr& file : files.of(table.kind)) {
      if (!IsValidUtf8(file->entry.path)) {
        return "the name of a file is not UTF-8";
      }
      for (const auto* statuses : {&file->problems, &file->notices}) {
        if (!statuses->empty()) {
          return statuses->front().message();
        }
      }
    }
  }
  return "";
}

/// Adds a group unless it would change nothing.
void AddGroup(const std::string& level, lake::TimeLevels by, std::vector<Candidate> candidates,
              CompactionPlan* plan) {
  if (candidates.empty()) {
    return;
  }
  if (candidates.size() == 1 && candidates.front().is_one_set() &&
      !candidates.front().changes_level) {
    ++plan->num_large;
    return;
  }
  CompactionGroup group{.level = level, .by = by, .partitions = {}};
  for (const Candidate& one : candidates) {
    group.partitions.push_back(one.partition);
    group.num_files += one.num_files;
    group.size_bytes += one.size_bytes;
  }
  plan->groups.push_back(std::move(group));
}

}  // namespace

std::string DescribeLeft(const std::vector<PartitionLeft>& left, bool is_quiet) {
  std::map<std::string, std::vector<const PartitionLeft*>> by_reason;
  for (const PartitionLeft& one : left) {
    if (one.is_fault || !is_quiet) {
      by_reason[one.reason].push_back(&one);
    }
  }
  std::string text;
  size_t num_lines = 0;
  size_t num_others = 0;
  for (const auto& [reason, partitions] : by_reason) {
    if (num_lines++ >= kMostReasons) {
      num_others += partitions.size();
      continue;
    }
    const std::string& first = partitions.front()->partition;
    text += fmt::format("{} stays: {}\n",
                        partitions.size() > 1 ? fmt::format("each of {} partitions like {}",
                                                            partitions.size(), PrintableText(first))
                        : first.empty()       ? "the archive"
                                              : PrintableText(first),
                        PrintableText(reason));
  }
  if (num_others > 0) {
    text += fmt::format("{} more stay for other reasons\n", num_others);
  }
  return text;
}

std::vector<lake::FileSummaryPtr> FilesOf(const lake::PartitionWork& partition) {
  std::vector<lake::FileSummaryPtr> files;
  for (const bool is_root : {true, false}) {
    for (const otap::TableInfo& table : otap::AllTables()) {
      if (table.is_root() == is_root) {
        const auto& of_table = partition.files->of(table.kind);
        files.insert(files.end(), of_table.begin(), of_table.end());
      }
    }
  }
  return files;
}

std::optional<PartitionLeft> WhyLeft(const lake::PartitionWork& partition,
                                     std::chrono::nanoseconds older_than, int64_t now_nanos) {
  const std::string& name = partition.files->partition;
  PartitionLeft left{.partition = name, .reason = FaultOf(*partition.files), .is_fault = true};
  if (!left.reason.empty()) {
    return left;
  }
  left.is_fault = false;
  if (!lake::NameInLevel(name).starts_with(kPartitionKey) ||
      !LevelsOf(lake::LevelOfPartition(name)).has_value()) {
    left.reason = fmt::format(
        "it is not a partition in a folder {}.., with folders of times above it at most: 'convert "
        "--to star-parquet' writes such",
        kPartitionKey);
    return left;
  }
  const std::vector<lake::FileSummaryPtr> files = FilesOf(partition);
  const bool has_roots = std::any_of(
      otap::kAllSignals.begin(), otap::kAllSignals.end(),
      [&](otap::Signal signal) { return !partition.files->of(otap::RootTable(signal)).empty(); });
  if (!has_roots) {
    left.reason = "it has no records";
    return left;
  }
  int64_t newest = std::numeric_limits<int64_t>::min();
  for (const lake::FileSummaryPtr& file : files) {
    newest = std::max(newest, NewestOf(file->entry));
  }
  if (std::any_of(files.begin(), files.end(),
                  [](const lake::FileSummaryPtr& file) { return file->holds_dead_letters; })) {
    left.reason = "it holds dead letters: send them with 'df_engine replay', and remove it";
    return left;
  }
  if (newest > now_nanos - older_than.count()) {
    left.reason = fmt::format("it has files that are younger than {}", FormatDuration(older_than));
    return left;
  }
  return std::nullopt;
}

CompactionPlan PlanCompaction(const std::vector<lake::PartitionWork>& partitions,
                              const CompactionWishes& wishes, int64_t now_nanos) {
  CompactionPlan plan;
  // What has other signals would not become fewer.
  std::map<std::pair<std::string, uint8_t>, std::vector<Candidate>> levels;
  for (size_t i = 0; i < partitions.size(); ++i) {
    if (auto left = WhyLeft(partitions[i], wishes.older_than, now_nanos); left.has_value()) {
      plan.left.push_back(*std::move(left));
      continue;
    }
    Candidate candidate{.partition = i, .first_time = FirstTimeOf(partitions[i])};
    for (const auto& table : partitions[i].files->tables) {
      candidate.most_files = std::max(candidate.most_files, std::ssize(table));
    }
    for (const lake::FileSummaryPtr& file : FilesOf(partitions[i])) {
      ++candidate.num_files;
      candidate.size_bytes += file->entry.size_bytes;
      for (const lake::RowGroupSummary& row_group : file->row_groups) {
        candidate.data_bytes += row_group.num_bytes;
      }
    }
    const std::string level(lake::LevelOfPartition(partitions[i].files->partition));
    const bool changes_level = wishes.by.has_value() && *wishes.by != *LevelsOf(level);
    if (!changes_level && IsLarge(candidate, wishes.target_bytes)) {
      ++plan.num_large;
      continue;
    }
    candidate.changes_level = changes_level;
    levels[{Coarser(level, wishes.by), SignalsOf(*partitions[i].files)}].push_back(candidate);
  }
  for (auto& [key, candidates] : levels) {
    const std::string& level = key.first;
    const lake::TimeLevels by = wishes.by.value_or(*LevelsOf(level));
    std::stable_sort(
        candidates.begin(), candidates.end(),
        [](const Candidate& a, const Candidate& b) { return a.first_time < b.first_time; });
    std::vector<Candidate> group;
    int64_t data_bytes = 0;
    for (const Candidate& candidate : candidates) {
      group.push_back(candidate);
      data_bytes += candidate.data_bytes;
      if (data_bytes >= wishes.target_bytes) {
        AddGroup(level, by, std::exchange(group, {}), &plan);
        data_bytes = 0;
      }
    }
    AddGroup(level, by, std::move(group), &plan);
  }
  return plan;
}

}  // namespace df::app
