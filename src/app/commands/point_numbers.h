// Numbers of data points that conditions have no path for, or take otherwise.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <arrow/record_batch.h>

#include "select/value.h"

namespace df::app {

/// Returns a number that a data point may have, nil where it has none. A condition takes 0 for one
/// that is null, which is not what was sent.
select::Value NumberAt(const std::shared_ptr<arrow::RecordBatch>& rows, std::string_view name,
                       int64_t row);

/// Returns the quantiles of a summary as JSON, [[0.5,1.25],..]; "" where it has none.
std::string QuantilesAt(const std::shared_ptr<arrow::RecordBatch>& rows, int64_t row);

}  // namespace df::app
