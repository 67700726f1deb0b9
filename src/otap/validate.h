// Checks that a batch is canonical: what every node may rely on.
#pragma once

#include <arrow/status.h>

#include "otap/batch.h"

namespace df::otap {

/// Checks one table against the registry: known columns in registry order, types and dictionary
/// widths allowed, required columns present and without nulls (required struct children too), no
/// views, no large lists, timestamps without zone, array buffers valid. Errors: Invalid naming
/// table, column, found and expected.
arrow::Status ValidateTable(TableKind kind, const arrow::RecordBatch& table);

/// Checks every table, and across tables: root ids unique, every parent_id present in its parent,
/// resource and scope attributes referred to, no zero-row tables, at most kMaxRootRows root rows.
/// Needs plain ids. Errors: Invalid, the first problem found. Cost: O(rows).
arrow::Status Validate(const Batch& batch);

}  // namespace df::otap
