// One row group of a child table while rows of it are handed out: which are done, which are left.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "lake/catalog/file_summary.h"
#include "lake/format/id_ranges.h"
#include "lake/format/table_file.h"
#include "lake/format/table_slice.h"
#include "lake/scan/own_repeats.h"

namespace df::lake {

/// A run of rows of a row group.
struct ChildSlice {
  int64_t first_row = 0;
  int64_t num_rows = 0;
  IdRange parents;  ///< over rows with a parent
  uint32_t min_id = std::numeric_limits<uint32_t>::max();
  int64_t num_parents = 0;  ///< rows with a parent
  int64_t num_done = 0;     ///< of these: emitted or dropped
  bool is_sorted = true;
  bool is_reported = false;  ///< what had to be changed in its values
  bool is_released = false;  ///< no unread parent is expected to need it
  uint64_t used_epoch = 0;
  std::shared_ptr<const TableSlice> data;
  std::vector<int32_t> order;  ///< rows with a parent, by parent; only when the slice is not sorted
};

struct ChildRowGroup {
  enum class State {
    kUnopened,
    kOpen,
    kParked,  ///< closed; opened again when somebody asks for its rows after all
    kDone,    ///< every row is counted
  };
  FileSummaryPtr summary;
  int index = 0;
  State state = State::kUnopened;
  uint64_t collected_epoch = 0;

  // Known once the ids were read.
  bool is_read = false;
  int64_t num_parents = 0;           ///< rows with a parent
  int64_t num_done = 0;              ///< of these: emitted or dropped
  std::vector<uint8_t> done;         ///< which, by row
  IdRange parents = kEmptyIdRange;   ///< of all rows
  IdRange ids = kEmptyIdRange;       ///< of all rows
  IdRuns left;                       ///< when parked: parents of the rows that are not done
  IdRange left_ids = kEmptyIdRange;  ///< ids of these, and of rows without parent

  /// What is held while it is open.
  struct Content {
    std::shared_ptr<TableFile> file;
    IdColumn parents;
    IdColumn ids;              ///< empty when the table has none
    ParentIdSet repeated_ids;  ///< that several of its rows have
    int64_t ids_bytes = 0;
    std::vector<ChildSlice> slices;
    std::unique_ptr<RowGroupStream> stream;
    int64_t stream_bytes = 0;  ///< that it holds
    int64_t large_bytes = 0;   ///< of these: charged to the budget
    size_t next_slice = 0;     ///< the one that the stream gives next
    RowStretches needed;       ///< of the payload in hand: rows of slices that are not decoded
  };
  Content open;

  const RowGroupSummary& facts() const { return summary->row_groups[static_cast<size_t>(index)]; }
  int64_t num_rows() const { return facts().num_rows; }

  /// Rows that are neither emitted nor dropped, whether its ids were read or not.
  int64_t num_left() const { return is_read ? num_parents - num_done : num_rows(); }

  /// Takes the ids of a row group that is being opened, and cuts it into slices of so many rows.
  void Take(Content content, int64_t slice_rows);

  /// Makes two slices of one: the first `num_rows` rows of it, and the rest behind.
  void CutSlice(size_t slice_index, int64_t num_rows);

  /// Fills `order` of a slice: rows by parent, rows of one parent in their order.
  void SortSlice(ChildSlice* slice) const;

  /// Marks rows of an open row group as done; returns how many were not yet. `rows` needs no slice.
  int64_t Mark(size_t slice_index, const Piece& rows);

  /// Fills `left` and `left_ids` of an open row group.
  void ListLeft();

 private:
  void PlanSlices(int64_t slice_rows);
  ChildSlice PlanSlice(int64_t first, int64_t num_rows) const;
};

/// Returns the range of the ids that are not null, of `num_rows` rows from `first_row` on.
IdRange RangeOf(const IdColumn& ids, int64_t first_row, int64_t num_rows);

}  // namespace df::lake
