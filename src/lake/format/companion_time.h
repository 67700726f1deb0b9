// Times that a writer stored coarser than nanoseconds, beside a column with the nanoseconds.
#pragma once

#include <cstdint>
#include <memory>

#include <arrow/array.h>
#include <arrow/result.h>

#include "base/error.h"

namespace df::lake {

/// Returns `nanos` in place of `times`, whose unit is `nanos_per_unit`, for rows of the same
/// slice; either may be null for rows that are all null. Errors: arrow when a time and its
/// nanoseconds differ by a unit or more, or only one of them is null: which is right cannot be
/// told.
Result<std::shared_ptr<arrow::Array>> TakeCompanion(const std::shared_ptr<arrow::Array>& times,
                                                    const std::shared_ptr<arrow::Array>& nanos,
                                                    int64_t nanos_per_unit);

}  // namespace df::lake
