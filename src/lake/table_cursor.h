// Finds the rows of a child table that belong to a payload, reading each row group slice by slice.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <arrow/filesystem/filesystem.h>
#include <arrow/result.h>

#include "lake/file_summary.h"
#include "lake/id_map.h"
#include "lake/memory_budget.h"
#include "lake/read_report.h"
#include "lake/table_file.h"
#include "lake/table_slice.h"

namespace df::lake {

/// What the cursors of one partition share.
struct ReadContext {
  arrow::fs::FileSystem* file_system = nullptr;
  std::string base;
  std::string partition;
  MemoryBudget* budget = nullptr;
  ReadReport* report = nullptr;
  int64_t slice_bytes = 0;  ///< decoded bytes that a slice aims at
  /// Root rows of the partition are left for another time: rows that nobody asked for may be
  /// theirs.
  bool is_partial = false;
  /// Frees decoded slices that the current payload does not use.
  std::function<void()> make_room;
};

/// Estimates how many rows of a row group make a slice of ReadContext::slice_bytes: 1..65,536.
int64_t SliceRows(const TableFile& file, int row_group, const std::vector<bool>& wanted,
                  int64_t slice_bytes);

/// Returns, by leaf, what a slice of a table holds: everything but the top-level ids, which are
/// read apart.
std::vector<bool> DataLeaves(otap::TableKind kind);

/// Returns the bytes of the arrays of a slice, dictionaries not counted.
int64_t SliceBytes(const std::vector<LeafSlice>& leaves);

/// Reads one child table of one partition.
/// Shape: of a row group the ids are decoded first and kept (8 bytes a row); they give the exact
/// parent range of every slice, so a slice is decoded when a payload needs it and freed when no
/// unread parent can refer to it, whatever the order of rows. Errors stop at the row group: it is
/// reported, and its remaining rows count as unreadable. Calls: from one thread.
class TableCursor {
 public:
  /// `is_shared` marks tables whose rows belong to many parents (resource and scope attributes):
  /// they are kept until ReleaseBefore passes them, and what nobody asked for is no orphan.
  TableCursor(otap::TableKind kind, std::vector<FileSummaryPtr> files, ReadContext* context,
              bool is_shared);
  ~TableCursor();
  TableCursor(const TableCursor&) = delete;
  TableCursor& operator=(const TableCursor&) = delete;

  otap::TableKind kind() const { return kind_; }

  /// Returns the rows whose parent is in the map, in file order, sorted by parent inside a slice
  /// that was not sorted.
  Result<ChildRows> Collect(const IdMap& parents);

  /// Frees what only rows before `min_unread_parent` can refer to.
  void ReleaseBefore(uint32_t min_unread_parent);

  /// Returns a lower bound of the ids of rows that no payload has taken yet.
  uint32_t MinUnreadId() const;

  /// Frees decoded slices that the last Collect did not use; they are decoded again when needed.
  void Evict();

  /// Counts what nobody asked for and closes everything. `main_ranges` are the ids of the main rows
  /// that were read: only rows that point into them are orphans, others belong to rows that are not
  /// visible.
  void Finish(const std::vector<IdRange>& main_ranges);

 private:
  struct Slice;
  struct RowGroup;

  bool MayHold(const RowGroup& group, const IdMap& parents) const;
  Status Open(RowGroup* group);
  void PlanSlices(RowGroup* group);
  Status CollectFrom(RowGroup* group, const IdMap& parents, ChildRows* rows);
  Status Select(RowGroup* group, size_t slice_index, const IdMap& parents, ChildRows* rows);
  Status EnsureDecoded(RowGroup* group, size_t slice_index);
  void Free(Slice* slice);
  void Close(RowGroup* group);
  void Fail(RowGroup* group, const Status& error);
  TableCounts& counts() { return context_->report->table(kind_); }

  otap::TableKind kind_;
  ReadContext* context_;
  bool is_shared_;
  bool has_ids_;
  std::vector<std::unique_ptr<RowGroup>> groups_;
  uint64_t epoch_ = 0;
};

}  // namespace df::lake
