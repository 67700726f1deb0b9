// The file by which readers trust folders of times (lake/catalog/time_levels.h).
#pragma once

#include <string_view>

#include "base/logging.h"
#include "lake/catalog/time_levels.h"

namespace df::lake {

/// What is in it, for people.
inline constexpr std::string_view kTimeLevelsText =
    "Folders date=YYYY-MM-DD and hour=HH hold what happened in that day or hour (UTC), by event "
    "time. Readers pass over those that they do not need.\n";

inline constexpr std::string_view kDayFolderPrefix = "date=";

/// Says that a folder of a table has folders of times that nobody vouches for.
inline void NameUnmarkedLevels(std::string_view folder) {
  LogWarning(
      "'{}' has folders date=.. of another writer: readers will look into all of them, whatever "
      "times they want",
      folder);
}

}  // namespace df::lake
