// Folders that say when what is in them happened: date=YYYY-MM-DD/hour=HH, in UTC, by event time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lake/catalog/file_summary.h"

namespace df::lake {

/// Which of them stand between the folder of a table and the partition.
enum class TimeLevels : uint8_t { kNone, kDay, kHour };

/// A file of this name in the folder of a table says that every folder date=YYYY-MM-DD directly
/// below it, and hour=HH below that, has rows of that day and hour only, by the event time of the
/// records and data points that they are or belong to (select/selector.h). Folders of such names
/// mean anything where it is not.
inline constexpr std::string_view kTimeLevelsMarker = "_otap_event_time_levels";

/// Returns the number of the day or hour since 1970 that a time is in; 0 where there are no levels.
int64_t LevelOf(int64_t unix_nanos, TimeLevels levels);

/// Returns the folders of a number that LevelOf gave, as "date=2026-11-29/hour=10", or without one
/// those of rows of any times, as "date=mixed/hour=mixed": every file has the same keys then. ""
/// where there are no levels.
std::string LevelPath(std::optional<int64_t> level, TimeLevels levels);

/// Returns the times of a folder named date=YYYY-MM-DD. Nothing for other names, and for days that
/// times in nanoseconds do not reach as a whole.
std::optional<EventTimeRange> DayOfFolder(std::string_view name);

/// Returns the times of a folder named hour=HH in one of a day. Nothing for other names.
std::optional<EventTimeRange> HourOfFolder(std::string_view name, const EventTimeRange& day);

}  // namespace df::lake
