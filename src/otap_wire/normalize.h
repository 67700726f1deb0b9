// Tables as other producers write them, in the one form that they have in memory.
#pragma once

#include <memory>

#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "otap/schema.h"

namespace df::otap_wire {

/// Returns a table in canonical form, ids untouched. Shape: columns in the order of the model;
/// timestamps without a zone; LargeList as List; list items named and typed as in the model; a null
/// body type as type 0; field metadata kept. Other types stay, for the validator to refuse.
/// Errors: Invalid naming table and column: columns that the model lacks or that come twice, lists
/// too long for 32-bit offsets, buffers that do not hold what they should. Cost: no copies but of
/// large offsets.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> NormalizeTable(otap::TableKind kind,
                                                                  const arrow::RecordBatch& table);

}  // namespace df::otap_wire
