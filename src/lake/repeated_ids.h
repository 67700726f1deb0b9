// Ids that rows of several row groups of a table have.
#pragma once

#include <cstdint>
#include <vector>

#include "lake/file_summary.h"
#include "lake/parent_id_set.h"
#include "lake/table_cursor.h"

namespace df::lake {

/// Returns the ids of a table that rows of more than one row group have, in one file or in several:
/// two writers in one partition, a file beside the one that replaces it, a copy. Which of the rows
/// a child means cannot be told. Row groups without statistics of their ids, and what cannot be
/// read, are left out. Cost: a sort of the row groups where their ranges lie apart, as they do in
/// what one exporter has written; else reading the ids of those that overlap, 4 bytes a row.
ParentIdSet FindRepeatedIds(otap::TableKind kind, const std::vector<FileSummaryPtr>& files,
                            ReadContext* context);

}  // namespace df::lake
