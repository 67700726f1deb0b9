// The times of a batch, moved.
#pragma once

#include <cstdint>

#include <arrow/result.h>

#include "otap/batch.h"

namespace df::otap {

struct ShiftedTimes {
  BatchPtr batch;
  /// Times that have no place where they would go, before 1970 or beyond what 64 bits of
  /// nanoseconds hold: they stay as they are.
  int64_t num_kept = 0;
};

/// Adds `nanos` to every time of a batch: of log records, spans, events, data points and their
/// starts, exemplars. Shape: times that are not set, null or 0, stay so; durations, and so the time
/// from the start of a span to its end, too; times are unsigned as in OTLP. Needs plain ids.
/// Returns `batch` itself where nothing changes. Errors: those of Arrow. Cost: O(times).
arrow::Result<ShiftedTimes> ShiftTimes(const BatchPtr& batch, int64_t nanos);

}  // namespace df::otap
