// Transport encodings of ids (format reference 3.2 to 3.4): delta and quasi-delta, decoded to plain
// ids.
#pragma once

#include <memory>
#include <vector>

#include <arrow/result.h>

#include "otap/batch.h"

namespace df::otap {

/// Returns the batch with plain ids. Shape: rows keep their order; nulls stay null and are skipped
/// by the running sums; arithmetic is modulo the id width. A batch that is plain already is
/// returned as it is. Errors: Invalid naming the table and column when an id column has a type
/// outside the model. Source: format reference 3.3 and 3.4.
arrow::Result<BatchPtr> DecodeTransportIds(const BatchPtr& batch);

/// Returns one table as it came from a producer with plain ids. Shape: an id column whose field
/// says `encoding=plain` stays as it is; one that says anything else, or nothing, is decoded.
/// Errors: as DecodeTransportIds. Source: format reference 3.1.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> DecodeTransportTable(
    TableKind kind, const std::shared_ptr<arrow::RecordBatch>& table);

/// Says for every row of a table whether its parent_id is written as the difference to that of the
/// row before it (true) or literally. Shape: the first row is literal, except in plain delta, where
/// it is the difference to 0 and so the same. Errors: as DecodeTransportIds.
arrow::Result<std::vector<bool>> ParentRuns(TableKind kind, const arrow::RecordBatch& table);

}  // namespace df::otap
