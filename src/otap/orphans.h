// Rows whose parent is not in their batch.
#pragma once

#include <cstdint>

#include <arrow/result.h>

#include "otap/batch.h"

namespace df::otap {

/// Returns the batch without the rows that no root row leads to, and without their children; adds
/// their number to `dropped`. Shape: all other rows keep their order; the same batch when there is
/// none. Needs plain ids. Errors: those of Arrow. Cost: O(rows).
arrow::Result<BatchPtr> DropOrphans(const BatchPtr& batch, int64_t* dropped);

}  // namespace df::otap
