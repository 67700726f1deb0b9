// Rows of child files that belong to no row of a partition, told without sending anything.
#pragma once

#include <string>
#include <vector>

#include <arrow/result.h>

#include "lake/catalog/file_summary.h"
#include "lake/format/id_ranges.h"
#include "storage/store.h"

namespace df::lake {

struct OrphanRows {
  int64_t num_rows = 0;
  IdRange ids = kEmptyIdRange;
};

/// Counts, for each of `children`, the rows whose parent_id names no row of `parents`, which are
/// all files of the parent table; ids in `gone` had rows once. Errors: when a file cannot be read.
/// Cost: reads the id columns of files whose statistics do not show that all parents are there, and
/// those of the parents near them; holds 4 bytes for each of these parents.
Result<std::vector<OrphanRows>> CountOrphans(storage::Store& store, const std::string& base,
                                             const std::string& partition,
                                             const std::vector<FileSummaryPtr>& children,
                                             const std::vector<FileSummaryPtr>& parents,
                                             const IdRanges& gone);

}  // namespace df::lake
