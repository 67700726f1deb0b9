// Batches as they go over the wire: sorted, renumbered, ids as differences.
#pragma once

#include <cstdint>

#include <arrow/result.h>

#include "otap/batch.h"

namespace df::otap {

/// Returns the batch with transport ids. Shape: tables sorted as format reference 3.2 says, ids
/// counted from 0 in the new order, parent ids native, every id field marked with its `encoding`,
/// nested ones too; rows without parents are left out and added to `orphans_dropped`. Decoding
/// gives the same records in another order. Needs a canonical batch with plain ids, and Arrow's
/// compute functions initialised. Errors: Invalid for other ids or types outside the model.
/// Source: format reference 3.2 and 3.5. Cost: O(rows * log(rows)).
arrow::Result<BatchPtr> EncodeTransport(const BatchPtr& batch, int64_t* orphans_dropped);

}  // namespace df::otap
