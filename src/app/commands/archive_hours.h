// How many items an archive has in each hour, and the hours that have none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "app/commands/archive.h"
#include "base/error.h"
#include "otap/schema.h"

namespace df::app {

/// Hours since 1970, both included.
struct HourRange {
  int64_t first = 0;
  int64_t last = 0;
  bool operator==(const HourRange&) const = default;
};

/// Returns the begin of an hour in nanoseconds since 1970.
int64_t NanosOfHour(int64_t hour);

/// Returns the hours between the first and the last of some row groups in which, by their
/// statistics, none has an item; ascending. Nothing where a row group does not say its times: there
/// may be items anywhere. Cost: O(n log n).
std::optional<std::vector<HourRange>> FindHoles(const std::vector<RowGroupTimes>& row_groups);

struct ItemsByHour {
  std::map<int64_t, std::map<otap::Signal, int64_t>> hours;
  /// Items of row groups that are of several hours, or have items without a time.
  std::map<otap::Signal, int64_t> unplaced;
  std::map<otap::Signal, std::vector<HourRange>> of_unplaced;  ///< where they may be; ascending
  /// Items that were read and have no time.
  std::map<otap::Signal, int64_t> without_time;

  /// Tells whether an hour may have more items of a signal than is said.
  bool MayHaveMore(otap::Signal signal, int64_t hour) const;
};

/// Adds the items of a signal by what statistics say: exact where row groups are of one hour. Cost:
/// O(n log n) for n row groups.
void AddHours(otap::Signal signal, const std::vector<RowGroupTimes>& row_groups,
              ItemsByHour* by_hour);

/// Reads the items of those signals that have unplaced ones: then all of them are exact. What
/// cannot be read is in the report of the archive. Cost: reading these signals.
Status ReadHours(Archive* archive, ItemsByHour* by_hour);

}  // namespace df::app
