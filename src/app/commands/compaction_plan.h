// Which small partitions of an archive become a large one.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "lake/catalog/time_levels.h"
#include "lake/queue/work_list.h"

namespace df::app {

struct CompactionWishes {
  int64_t target_bytes = 256_MiB;  ///< of the data in all files of a partition, as stored
  /// No file of a partition may be newer.
  std::chrono::nanoseconds older_than = std::chrono::hours(1);
  /// Folders of times that the new partitions stand in; nothing: those of the old ones.
  std::optional<lake::TimeLevels> by;
};

/// Partitions that become one, or one for each day or hour.
struct CompactionGroup {
  std::string level;  ///< folders of times that they stand in, "" for none
  lake::TimeLevels by = lake::TimeLevels::kNone;  ///< those of the new ones
  std::vector<size_t> partitions;                 ///< of the archive, by their first times
  int64_t num_files = 0;
  int64_t size_bytes = 0;
};

/// A partition that stays as it is, and why.
struct PartitionLeft {
  std::string partition;
  std::string reason;
  bool is_fault = false;  ///< something is wrong with it; else it is too young, or being written
};

struct CompactionPlan {
  std::vector<CompactionGroup> groups;
  std::vector<PartitionLeft> left;
  int64_t num_large = 0;  ///< partitions that are large enough, or one set of files already
};

/// Says why a partition must stay as it is, as far as its footers tell; nothing where it may go.
std::optional<PartitionLeft> WhyLeft(const lake::PartitionWork& partition,
                                     std::chrono::nanoseconds older_than, int64_t now_nanos);

/// Makes a plan. Cost: n log n in the partitions.
CompactionPlan PlanCompaction(const std::vector<lake::PartitionWork>& partitions,
                              const CompactionWishes& wishes, int64_t now_nanos);

/// Says which partitions stay, a line for each reason, "" for none; those that are only young or in
/// use are left out where it is to be quiet.
std::string DescribeLeft(const std::vector<PartitionLeft>& left, bool is_quiet);

/// All files of a partition, those of roots first.
std::vector<lake::FileSummaryPtr> FilesOf(const lake::PartitionWork& partition);

}  // namespace df::app
