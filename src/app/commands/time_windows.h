// An archive in the order of time, a stretch at a time, so that neither all of it is read for a few
// records nor all of them are held at once.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "app/commands/archive.h"
#include "select/time_range.h"

namespace df::app {

enum class TimeOrder : uint8_t { kOldestFirst, kNewestFirst };

/// Cuts a range of times into windows that meet, each of about so many rows by the statistics of
/// row groups. Row groups without statistics belong to every window, so windows have at least as
/// many rows as those together: reading all windows stays linear. Cost: O(n log n) for n row
/// groups, O(log n) for each window. Calls: from one thread.
class TimeWindows {
 public:
  TimeWindows(std::vector<RowGroupTimes> row_groups, select::TimeRange range, TimeOrder order);

  /// Returns the next window of about `num_rows` rows, or nothing when the range is used up. The
  /// last one is open where the range is.
  std::optional<select::TimeRange> Next(int64_t num_rows);

 private:
  /// Rows before a time, as if those of a row group lay evenly, and the other way round.
  long double RowsBefore(int64_t time) const;
  long double TimeOf(long double num_rows) const;
  std::optional<select::TimeRange> NextOldest(long double num_rows);
  std::optional<select::TimeRange> NextNewest(long double num_rows);

  select::TimeRange range_;
  TimeOrder order_;
  std::vector<int64_t> edges_;     ///< ascending: where a row group begins or ends
  std::vector<long double> rows_;  ///< by edge: rows before it
  long double num_unknown_ = 0;
  int64_t least_ = 0;  ///< of all row groups
  int64_t most_ = 0;
  bool is_done_ = false;
  std::optional<int64_t> edge_;  ///< where the last window ended
};

}  // namespace df::app
