// One batch as several.
#pragma once

#include <cstdint>
#include <vector>

#include <arrow/result.h>

#include "otap/batch.h"

namespace df::otap {

/// Returns the rows of a batch in pieces of at most `max_items` items (log records, spans, data
/// points), the first one of at most `first_items`, in the order of the root table. Shape: ids
/// stay as they are; a metric goes with all its data points unless it has more than `max_items`, or
/// is the first and has more than `first_items`: then it is in several pieces, each with a part of
/// them; resources, scopes and the attributes of a metric are repeated in every piece that needs
/// them. So pieces of logs and traces are full except the last. Returns the batch itself when it
/// fits. Needs plain ids and limits of at least
/// 1. Errors: those of Arrow. Cost: O(rows) whatever the number of pieces; a table whose rows stand
/// in the order of the root is sliced, not copied.
arrow::Result<std::vector<BatchPtr>> Split(const BatchPtr& batch, int64_t first_items,
                                           int64_t max_items);
inline arrow::Result<std::vector<BatchPtr>> Split(const BatchPtr& batch, int64_t max_items) {
  return Split(batch, max_items, max_items);
}

}  // namespace df::otap
