// Batches cut by the day or hour in which their records and data points happened.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/error.h"
#include "lake/catalog/time_levels.h"
#include "otap/batch.h"

namespace df::lake {

/// Rows of a batch that stand in one folder.
struct LevelPart {
  std::optional<int64_t> level;  ///< as LevelOf; nothing: rows of any times
  otap::BatchPtr batch;
};

/// Most days or hours that a batch is cut by, and most for which files are open. It bounds the
/// cost of a batch whose times are all over the place.
inline constexpr size_t kMostLevels = 16;

/// Cuts a batch that passes CheckShape and has rows, the newest level first: log records, spans and
/// data points by their event time (select/selector.h), what belongs to them with them, and a
/// metric with each level that has points of it. What has no time has the time 0, as for a
/// selection, and so have metrics without points. Where a batch has more than kMostLevels, those
/// with the most rows are kept, and all other rows are one part of any times. A batch with rows
/// that name no record of it is not cut: it is one part of any times. Without levels it is one
/// part. Errors: those of Arrow.
Result<std::vector<LevelPart>> SplitByLevel(const otap::BatchPtr& batch, TimeLevels levels);

}  // namespace df::lake
