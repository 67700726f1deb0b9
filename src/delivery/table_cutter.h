// The tables of a batch in parts, by what a batch was found to be when it was written.
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.h"
#include "otap/batch.h"

namespace df::delivery {

/// Whether the tables of a batch can be cut: one log record, one span, one data point of one
/// metric cannot.
bool CanBeCut(const otap::Batch& batch);

/// Returns the records of a batch that takes `encoded_bytes` when it is written in at least two
/// parts, of which each takes at most `max_bytes` if all records are equally large. Records that
/// are larger than others make parts that are too large still: these are cut again, and since no
/// part has more than half of the records, no record is written more than O(log n) times.
/// Shape: that of otap::Split; the batch itself where it cannot be cut after all, as all its data
/// points are without metric. Needs plain ids, and a batch that can be cut. Errors: those of
/// Arrow. Cost: O(rows).
Result<std::vector<otap::BatchPtr>> CutTables(const otap::BatchPtr& batch, int64_t encoded_bytes,
                                              int64_t max_bytes);

}  // namespace df::delivery
