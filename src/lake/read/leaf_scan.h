// Reads some columns of a row group, a slice at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <arrow/record_batch.h>

#include "lake/format/table_file.h"
#include "lake/scan/table_cursor.h"

namespace df::lake {

/// Calls `visit` with the first row and the rows of each slice of a row group, front to back, and
/// charges them to the budget meanwhile. `leaves`: which are read. Errors: what reading and `visit`
/// return.
Status VisitRows(TableFile* file, int row_group, const std::vector<bool>& leaves,
                 ReadContext* context,
                 const std::function<Status(int64_t first_row, DecodedRows rows)>& visit);

/// Returns rows as a record batch in canonical form (AssembleTable), without ids. Errors: as there.
Result<std::shared_ptr<arrow::RecordBatch>> AssembleRows(otap::TableKind kind, DecodedRows rows);

}  // namespace df::lake
