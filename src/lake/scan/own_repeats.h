// Ids that several rows of one row group have.
#pragma once

#include <cstdint>
#include <vector>

#include "lake/format/table_file.h"
#include "lake/scan/memory_budget.h"
#include "lake/scan/parent_id_set.h"

namespace df::lake {

/// Finds the ids that it is given more than once. Shape: two bits for each id that there may be, or
/// four bytes for each that there is, whichever is less.
class IdTally {
 public:
  /// Returns the bytes that a tally holds of `num_ids` ids in a range that is not empty.
  static int64_t SizeBytes(IdRange range, int64_t num_ids);

  IdTally(IdRange range, int64_t num_ids);

  /// Takes an id of the range.
  void Add(uint32_t id);

  /// Returns the ids that came more than once, each once, ascending. Nothing may be added any more.
  std::vector<uint32_t> Repeated();

 private:
  IdRange range_;
  bool has_bits_;
  std::vector<uint64_t> seen_;   ///< a bit for each id of the range
  std::vector<uint64_t> again_;  ///< the same
  std::vector<uint32_t> ids_;
};

/// Whether each id is larger than those before it, as in what one exporter has written: then none
/// comes twice, and no zeros fill a column.
bool IdsAscend(const IdColumn& ids);

/// Makes those ids of a row group null that are none: where a batch has no ids, upstream's exporter
/// writes zeros. So several zeros are none where no row has another id; and among data points,
/// whose other ids ascend, all but one in the first row, with another id behind it. What else comes
/// twice is left. Cost: one comparison a row where ids ascend, as in what one exporter has written.
void DropFilledZeros(otap::TableKind kind, IdColumn* ids);

/// Returns the ids that more than one row of a row group has. Cost: one comparison a row where ids
/// ascend; else an IdTally, charged to the budget meanwhile.
ParentIdSet FindOwnRepeats(const IdColumn& ids, MemoryBudget* budget);

}  // namespace df::lake
