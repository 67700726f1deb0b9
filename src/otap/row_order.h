// The order in which the rows of a table go over the wire.
#pragma once

#include <memory>

#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "otap/schema.h"

namespace df::otap {

/// Returns a table sorted as format reference 3.2 says: ascending, nulls last, floats in their
/// total order, equal rows as they were. The same table when it is sorted already.
/// Errors: Invalid for types outside the model; those of Arrow. Cost: linear in the rows, but for
/// keys that do not fit 64 bits together with the number of the row.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> SortForTransport(
    TableKind kind, const std::shared_ptr<arrow::RecordBatch>& table);

}  // namespace df::otap
