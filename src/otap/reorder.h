// The records of a batch in another order.
#pragma once

#include <cstdint>
#include <span>

#include <arrow/result.h>

#include "otap/batch.h"

namespace df::otap {

/// Puts root rows in an order, each row once. Shape: `batch` has its tables, with plain ids; ids
/// of root rows are numbered anew so that they ascend, and children follow theirs. Rows that name
/// no root row lose the id of their parent. Errors: those of Arrow; Invalid when `order` is not one
/// of all rows.
arrow::Result<BatchPtr> ReorderRoots(const BatchPtr& batch, std::span<const int64_t> order);

}  // namespace df::otap
