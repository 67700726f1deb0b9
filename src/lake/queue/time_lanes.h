// Work in the order of the times of its records.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "lake/catalog/file_summary.h"
#include "lake/read/partition_reader.h"
#include "select/time_range.h"

namespace df::lake {

/// Returns a range that has the event times of the records of a root file, by statistics: of
/// metrics those of the data points that may be theirs. Nothing where statistics do not tell. A
/// record without a time makes it begin at 0.
std::optional<EventTimeRange> TimesOfRoots(const PartitionFiles& files, const FileSummary& root);

/// One task of its own, and when its first record may be due.
struct TimeLane {
  PartitionTask task;
  int64_t first_time = 0;  ///< since 1970; 0 where statistics do not tell
  int64_t last_time = 0;
  int64_t root_bytes = 0;  ///< of its root files
};

/// So many readers of one signal in one partition read at once, and no more: each reads child
/// tables for itself.
inline constexpr size_t kMostTimeLanes = 64;

/// Cuts a task so that the files of a lane come one after the other, in the order in which they are
/// read: as many lanes as files lie side by side in time. Each has a PartitionFiles of its own, so
/// that several readers may run. Rows of the other lanes are not orphans: lanes of a cut task are
/// partial. Times before `wanted.from` do not count. Cost: O(files x lanes).
std::vector<TimeLane> CutIntoLanes(PartitionTask task, const select::TimeRange& wanted);

}  // namespace df::lake
