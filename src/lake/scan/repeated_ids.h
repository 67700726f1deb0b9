// Ids that rows of several row groups of a table have.
#pragma once

#include <cstdint>
#include <vector>

#include "lake/catalog/file_summary.h"
#include "lake/format/id_ranges.h"
#include "lake/scan/parent_id_set.h"
#include "lake/scan/reservation.h"
#include "lake/scan/table_cursor.h"

namespace df::lake {

/// The ids of a table that rows of more than one row group have, in one file or in several: two
/// writers in one partition, a file beside the one that replaces it, a copy. Which of the rows a
/// child means cannot be told. What is held is charged to the budget of the reader.
class RepeatedIds {
 public:
  /// Looks for them. Row groups that cannot be read are reported, and each id that they may have
  /// counts as repeated where another row group may have it too. Cost: a sort of the row groups
  /// where their ranges are apart, as in what one exporter has written. Else the ids of those that
  /// overlap are read, those of row groups without statistics, or with wrong ones, twice; as often
  /// as it takes for an eighth of the budget to hold what is compared.
  RepeatedIds(otap::TableKind kind, const std::vector<FileSummaryPtr>& files, ReadContext* context);

  /// Counts the ids that are repeated here and were not there.
  int64_t CountNewSince(const RepeatedIds& before) const;

  bool empty() const { return ids_.empty() && untold_.empty(); }
  bool Has(uint32_t id) const { return ids_.Has(id) || untold_.Overlaps({id, id}); }

 private:
  ParentIdSet ids_;
  IdRanges untold_;  ///< may be repeated: not all could be read
  Reservation held_;
};

/// Compares the ids of a row group with what its statistics say, and notes in the summary when they
/// are wrong. A search that comes later reads the ids of that file.
void CheckIdStatistics(const FileSummary& file, int row_group, const IdColumn& ids);

}  // namespace df::lake
