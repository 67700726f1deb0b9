// Transport encodings of ids (format reference 3.2 to 3.4): delta and quasi-delta, decoded to plain
// ids.
#pragma once

#include <arrow/result.h>

#include "otap/batch.h"

namespace df::otap {

/// Returns the batch with plain ids. Shape: rows keep their order; nulls stay null and are skipped
/// by the running sums; arithmetic is modulo the id width. A batch that is plain already is
/// returned as it is. Errors: Invalid naming the table and column when an id column has a type
/// outside the model. Source: format reference 3.3 and 3.4.
arrow::Result<BatchPtr> DecodeTransportIds(const BatchPtr& batch);

}  // namespace df::otap
