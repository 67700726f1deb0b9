// Boolean values that a missing column stands for.
#pragma once

#include <memory>

#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "otap/schema.h"

namespace df::otap {

/// Writes `false` where a table has values of the type bool and no column for them: a column that
/// is missing means that all of them are false, and one that is there and null that a value is
/// empty. So the column must be there before rows of other tables bring one. Of attributes, and of
/// bodies of log records; the column stands last. Returns other tables as they are. Errors: those
/// of Arrow. Cost: a look at the types.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> WithExplicitBooleans(
    TableKind kind, const std::shared_ptr<arrow::RecordBatch>& table);

}  // namespace df::otap
