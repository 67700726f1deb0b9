// Finds the rows of a child table that belong to a payload, reading each row group slice by slice.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "lake/catalog/file_summary.h"
#include "lake/format/id_ranges.h"
#include "lake/format/table_file.h"
#include "lake/format/table_slice.h"
#include "lake/report/read_report.h"
#include "lake/scan/child_group_index.h"
#include "lake/scan/child_row_group.h"
#include "lake/scan/id_map.h"
#include "lake/scan/kept_files.h"
#include "lake/scan/memory_budget.h"
#include "lake/scan/prefetcher.h"
#include "storage/store.h"

namespace df::lake {

/// What the cursors of one partition share.
struct ReadContext {
  static constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

  storage::Store* store = nullptr;
  std::string base;
  std::string partition;
  MemoryBudget* budget = nullptr;
  ReadReport* report = nullptr;
  int64_t slice_bytes = 0;  ///< decoded bytes that a slice aims at
  /// Root rows of the partition are left for another time: rows that nobody asked for may be
  /// theirs.
  bool is_partial = false;
  /// Records are left out before their children are looked for: most rows of child tables may be
  /// needed by nobody.
  bool is_selecting = false;
  /// Of the root rows that are read now few are wanted, and so of their children.
  bool needs_few = false;
  Prefetcher* prefetcher = nullptr;  ///< null: nothing is fetched ahead
  Prefetcher* screens = nullptr;     ///< of what a selection looks at first; null: the same
  /// Tells whether data points are needed of times between two; null: all are.
  std::function<bool(const EventTimeRange&)> needs_points;
  /// Frees decoded slices that the current payload does not use.
  std::function<void()> make_room;

  /// Closes row groups that the current payload does not look at.
  std::function<void()> close_idle;

  ReadLimits limits;                    ///< of one row group
  int64_t stream_bytes = 0;             ///< that the open row groups hold to read on
  int64_t max_stream_bytes = kNoLimit;  ///< where idle ones are closed
  /// Of the ids of a row group: where they are more, the rest must not push slices out that are
  /// decoded again for each payload.
  int64_t max_charged_bytes = kNoLimit;
  int64_t max_payload_bytes = kNoLimit;  ///< of the children of the payload in hand
  int64_t payload_bytes = 0;             ///< that these take so far
  int64_t copied_bytes = 0;              ///< of these: copied, and reserved
  /// They take more: nothing else is collected, and the payload must be given up or shortened.
  bool is_payload_too_large = false;
};

/// Tells whether some row of a range may have a parent in the map.
bool Intersects(IdRange range, const IdMap& parents);

/// What is known, when everything was read, of the rows that the rows of a child table may point
/// to.
struct ParentRows {
  otap::TableKind kind = otap::TableKind::kLogs;
  bool has_files = false;  ///< the partition has a file of the table
  IdRanges read;           ///< holds the ids of the rows that were read
  IdRanges lost;           ///< holds the ids of the rows that did not go out
};

/// Reads one child table of one partition.
/// Shape: of a row group the ids are decoded first and kept (8 bytes a row); they give the exact
/// parent range of every slice, so a slice is decoded when a payload needs it and freed when no
/// unread parent can refer to it, whatever the order of rows. Statistics are hints: they say which
/// row groups are looked at first, never what becomes of a row; what is freed too early is read
/// again. Errors stop at the row group: it is reported, and its remaining rows count as unreadable.
/// Every row is counted once, as emitted, dropped or left, at the latest by the destructor.
/// Calls: from one thread.
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

  /// Nothing was collected since the last call of Commit or Drop.
  void Rollback() { pending_.clear(); }

  /// Returns the rows whose parent is in the map, in file order, sorted by parent inside a slice
  /// that was not sorted. They count as soon as Commit or Drop says what became of them.
  ChildRows Collect(const IdMap& parents);

  /// Adds what the last Collect left out because of statistics that are wrong: reads the parent ids
  /// of the row groups that it skipped, once in the life of a file. For parents that should have
  /// children and have none.
  void LookBehindStatistics(const IdMap& parents, ChildRows* rows);

  /// Reads the parent ids of the row groups that no Collect has asked for, once in the life of a
  /// file. Returns whether statistics turned out to be wrong: after a Rollback, Collect gives more.
  bool CheckSkipped();

  /// The rows collected since the last call have gone out.
  void Commit();

  /// The rows collected since the last call have not gone out.
  void Drop(DropReason reason);

  /// Frees what only rows before `min_unread_parent` can refer to.
  void ReleaseBefore(uint32_t min_unread_parent);

  /// Returns a lower bound of the ids of rows that no payload has taken yet.
  uint32_t MinUnreadId() const;

  /// Frees decoded slices that the last Collect did not use; they are decoded again when needed.
  void Evict();

  /// Closes the pages of row groups that the last Collect did not look at; they are read again from
  /// their beginning when needed.
  void CloseIdle();

  /// Closes the row groups that the last Collect did not look at; their ids are read again when
  /// needed.
  void ParkIdle();

  /// Counts what nobody asked for, names rows that point nowhere and closes everything. Unless
  /// other root files are read at another time, row groups that were never needed are opened to see
  /// where their rows point to.
  void Finish(const ParentRows& parents);

  /// After Finish: what the children of this table may point to.
  const ParentRows& rows() const { return rows_; }

  /// Whether rows were left out because nobody wants data points of their times.
  bool has_left_out() const { return has_left_out_; }

  /// Whether a row group could not be read.
  bool has_failed() const { return has_failed_; }

 private:
  /// Rows handed out and not counted yet.
  struct Pending {
    ChildRowGroup* group = nullptr;
    size_t slice = 0;
    Piece rows;  ///< without the slice
  };
  /// Rows dropped for one reason, for one message.
  struct Loss {
    int64_t num_rows = 0;
    IdRange ids = kEmptyIdRange;
    Location first;
  };

  /// Rows of a slice: a stretch from `first` on, or the given ones.
  struct Choice {
    int64_t first = 0;
    std::vector<int32_t> rows;
  };

  void CollectFromAll(const IdMap& parents, ChildRows* rows);
  Location LocationOf(const ChildRowGroup& group) const;
  Result<std::shared_ptr<TableFile>> OpenFile(const FileSummary& summary, Location location);
  Status Open(ChildRowGroup* group);
  void CheckStatistics(const ChildRowGroup& group, IdRange parents);
  Status CheckGroup(const ChildRowGroup& group, TableFile* file);
  bool CheckFile(const FileSummaryPtr& summary, bool is_last);
  Status CollectFrom(ChildRowGroup* group, const IdMap& parents, ChildRows* rows);
  bool MayHave(const ChildSlice& slice, const IdMap& parents) const;
  Status Announce(ChildRowGroup* group, const IdMap& parents);
  Status Select(ChildRowGroup* group, size_t* slice_index, const IdMap& parents, ChildRows* rows);
  Status ChargePiece(ChildSlice* slice, Piece* piece);
  void DropRefused(ChildRowGroup* group, size_t slice_index, size_t first_new, Choice* choice,
                   ChildRows* rows);
  void Choose(ChildRowGroup* group, size_t slice_index, const IdMap& parents, Choice* choice,
              ChildRows* rows);
  Result<bool> EnsureDecoded(ChildRowGroup* group, size_t* slice_index);
  Result<std::shared_ptr<TableSlice>> DecodeRows(ChildRowGroup* group, int64_t num_rows);
  void KeepSlice(const ChildRowGroup& group, ChildSlice* slice, std::shared_ptr<TableSlice> data);
  void CutSlice(ChildRowGroup* group, size_t slice_index, int64_t num_rows);
  bool IsPending(const ChildRowGroup& group, size_t slice_index) const;
  void CloseStream(ChildRowGroup* group);
  void MakeRoomForIds(const ChildRowGroup& group);
  void Free(ChildSlice* slice);
  void Park(ChildRowGroup* group);
  void ForgetUnopened(const ChildRowGroup& group);
  void Empty(ChildRowGroup* group);
  void SetDone(ChildRowGroup* group);
  void Fail(ChildRowGroup* group, const Status& error);
  bool LeaveOutByTime(const RowGroupSummary& facts);
  void CountUnopened(const ChildRowGroup& group);
  void Settle(ChildRowGroup* group, const ParentRows* parents);
  void AddLoss(Loss* loss, const ChildRowGroup& group, const IdRuns::Run& run);
  void NameLosses(const ParentRows& parents);
  TableCounts& counts() { return context_->report->table(kind_); }

  otap::TableKind kind_;
  ReadContext* context_;
  bool is_shared_;
  bool has_ids_;
  std::vector<std::unique_ptr<ChildRowGroup>> groups_;
  ChildGroupIndex index_;
  bool is_index_stale_ = true;
  bool has_checked_skipped_ = false;
  std::vector<ChildRowGroup*> open_groups_;
  std::multiset<uint32_t> unopened_ids_;  ///< least id of each that is not open yet
  KeptFiles files_;
  std::vector<Pending> pending_;
  uint64_t epoch_ = 0;
  bool has_failed_ = false;
  bool has_left_out_ = false;
  ParentRows rows_;
  Loss orphans_;
  Loss hidden_;
  Loss nulls_;  ///< without ids
};

}  // namespace df::lake
