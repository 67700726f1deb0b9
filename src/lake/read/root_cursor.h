// Walks the root rows of a partition, a payload's worth at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <arrow/result.h>

#include "lake/read/dense_ahead.h"
#include "lake/read/partition_reader.h"
#include "lake/read/root_screen.h"
#include "lake/resources/partition_resources.h"
#include "lake/scan/reservation.h"
#include "lake/scan/table_cursor.h"

namespace df::lake {

/// Consecutive root rows of one slice.
struct RootRows {
  std::shared_ptr<const TableSlice> slice;
  int64_t offset = 0;  ///< in the slice
  int64_t num_rows = 0;
  int64_t first_row_of_group = 0;  ///< of these rows, in their row group
  int64_t first_row_of_file = 0;
  int row_group = 0;
  bool is_screened = false;  ///< some of them may be wanted, by the root table alone
  FileSummaryPtr file;
  const IdColumn* ids = nullptr;  ///< of the whole row group; valid until the next call
  const PartitionResources* resources = nullptr;  ///< what the stretches belong to
  const std::vector<ResourceStretch>* stretches =
      nullptr;  ///< of the file; valid until the next call
};

/// Returns the range of the ids of rows that are not null.
IdRange IdsOf(const RootRows& rows);

/// Gives root rows in file order. A file or row group that cannot be read is reported and left out.
/// Every row is counted once, as emitted, dropped or left, at the latest by the destructor.
class RootCursor {
 public:
  RootCursor(const PartitionTask& task, const ReadOptions& options, ReadContext* context);
  ~RootCursor();
  RootCursor(const RootCursor&) = delete;
  RootCursor& operator=(const RootCursor&) = delete;

  /// Returns at most batch_size rows, or nothing at the end. Errors: ambiguous resources under
  /// ResourceJoin::kFail.
  Result<std::optional<RootRows>> Next();

  /// Changes batch_size for the rows that Next has not returned.
  void Limit(int64_t batch_size) { batch_size_ = batch_size; }

  /// Gives back all but the first `num_rows` of the rows that Next returned last: it returns them
  /// again.
  void Shorten(RootRows* rows, int64_t num_rows);

  /// The rows that Next returned last have gone out, but for those that `origin` says were left
  /// out.
  void Commit(const RootRows& rows, const Origin& origin);

  /// None of the rows that Next returned last goes out: nobody wants them, or the condition has no
  /// answer, as `origin` says.
  void LeaveOut(const RootRows& rows, const Origin& origin);

  /// The rows that Next returned last have not gone out because of an error.
  void Drop(const RootRows& rows, DropReason reason, const Status& error);

  /// Drops every row that Next has not returned; it returns nothing from now on.
  void DropRest(DropReason reason);

  /// Returns a lower bound of the ids of rows not given out yet, the largest id when there are
  /// none.
  uint32_t MinUnreadId() const;

  /// Returns a lower bound of the resource and scope attribute ids that rows not given out yet can
  /// refer to.
  uint32_t MinUnreadResource() const;

  /// What the children of the root table may point to.
  const ParentRows& rows() const { return rows_; }

  const std::vector<RootOutcome>& outcomes() const { return outcomes_; }

 private:
  void EnterNextFile();
  void LeaveFile();
  bool HasOpened();
  Status OpenFile();
  bool HasResources();
  Status ResolveResources();
  void DropFile(const Status& error);
  bool NeedsFew(int64_t num_rows) const;
  Status OpenNextGroup();
  void LeavePrefetched(int group, bool is_opened);
  Status DecodeSlice();
  void CloseGroup();
  void CloseFile();
  void DropGroup(const Status& error);
  void Fail(const Status& error);
  RowRanges RowsFrom(int first_group, int last_group, int64_t first_row) const;
  RowRanges RowsOf(int group, int64_t first, int64_t end) const;
  const RowRanges* taken() const;
  bool SkipTakenGroup();
  bool SkipUnwantedFile();
  bool SkipUnwantedGroup();
  void CountSkippedGroup(int group);
  bool SkipScreenedGroup();
  bool SkipScreenedRows();
  bool IsUnwanted(const RowGroupSummary& group) const;
  bool NeedsPoints() const;
  void LeaveOutRows(int group, int64_t first, int64_t end);
  bool SkipTakenRows();
  bool DropRefusedRows();
  int64_t NextRefused() const;
  int64_t RowsAhead() const;
  IdRange IdsAhead() const;
  TableCounts& counts() { return context_->report->table(kind_); }
  const FileSummaryPtr& summary() const;
  int num_groups() const { return static_cast<int>(summary()->row_groups.size()); }
  int64_t num_rows(int group) const {
    return summary()->row_groups[static_cast<size_t>(group)].num_rows;
  }

  otap::TableKind kind_;
  std::shared_ptr<const PartitionFiles> files_;
  std::vector<size_t> root_files_;
  std::vector<std::shared_ptr<FileClaim>> claims_;  ///< as in the task
  std::vector<RowRanges> taken_;
  int64_t batch_size_;
  std::shared_ptr<const select::Selector> selector_;  ///< null: everything is wanted
  RootScreen screen_;
  ReadContext* context_;
  DenseAhead dense_ahead_;
  bool needs_no_points_;  ///< of a selection by time: no metric has any that is wanted
  PartitionResources resources_;
  std::vector<uint32_t> min_id_from_group_;  ///< by row group of the file: as by file
  std::vector<uint32_t> min_id_from_file_;  ///< by task file: smallest id of it and those behind it

  size_t next_file_ = 0;
  bool is_in_file_ = false;                 ///< in the one before next_file_
  std::shared_ptr<TableFile> file_;         ///< null until a row group of it may be wanted
  std::vector<ResourceStretch> stretches_;  ///< empty until a row group of the file is read
  std::vector<uint32_t>
      stretch_min_offset_;           ///< by stretch: smallest offset of it and those behind it
  uint32_t min_id_behind_file_ = 0;  ///< smallest id of the files behind this one
  int next_group_ = 0;
  int64_t group_first_row_ = 0;  ///< in the file
  /// Of the row group: what may be wanted, where that is known.
  std::optional<RowStretches> screened_;
  size_t next_stretch_ = 0;
  std::shared_ptr<TableFile> group_file_;  ///< file_, or the same file opened ahead
  std::unique_ptr<RowGroupStream> stream_;
  int64_t stream_row_ = 0;  ///< that it gives next
  IdColumn ids_;
  std::vector<uint32_t>
      min_id_from_block_;  ///< by block of rows: smallest id of it and the rows behind it
  int64_t ids_bytes_ = 0;
  Reservation stream_held_;
  int64_t slice_rows_ = 0;
  std::shared_ptr<const TableSlice> slice_;
  int64_t slice_first_row_ = 0;  ///< in the group
  int64_t slice_offset_ = 0;
  ParentRows rows_;
  std::vector<RootOutcome> outcomes_;
};

}  // namespace df::lake
