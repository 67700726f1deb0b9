// The columns of one file of a lake: which there are, what fills them, and as which Arrow types.
#pragma once

#include <vector>

#include <arrow/table.h>

#include "otap/schema.h"
#include "testing/cell.h"
#include "testing/lake_writer.h"
#include "testing/random_value.h"

namespace df::testing {

/// Gives a piece of a table every column that the layout's files have, in the model's order;
/// columns that the batch lacked are null or filled as the layout does it.
CellTable CompleteColumns(otap::TableKind kind, const CellTable& piece,
                          const LakeWriterOptions& options);

/// Puts rows of several complete pieces one behind the other.
CellTable Concatenate(const std::vector<CellTable>& pieces);

/// Reorders the rows of one batch, or of one file.
CellTable OrderBatchRows(CellTable table, ChildOrder order, RandomEngine& rng);
CellTable OrderFileRows(CellTable table, ChildOrder order, RandomEngine& rng);

/// Builds the Arrow table of one file: omits, adds and shuffles columns and sets types and
/// nullability as the options say. Every chunk has dictionaries of its own, so that the rows of a
/// file may hold more values than an index can count. Errors: Invalid when a root id does not fit
/// UInt16 but should.
arrow::Result<std::shared_ptr<arrow::Table>> FileTable(otap::TableKind kind, CellTable rows,
                                                       const LakeWriterOptions& options,
                                                       RandomEngine& rng);

}  // namespace df::testing
