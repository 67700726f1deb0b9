// What RootCursor passes over: files, row groups and rows that nobody wants.
#include <algorithm>

#include "lake/catalog/event_times.h"
#include "lake/read/root_cursor.h"
#include "select/selector.h"

namespace df::lake {

/// Tells whether data points of the partition may be wanted by their times: metrics that keep none
/// are not wanted either.
bool RootCursor::NeedsPoints() const {
  const auto& tables = otap::AllTables();
  return std::any_of(tables.begin(), tables.end(), [this](const otap::TableInfo& table) {
    if (table.parent != kind_ || !HasEventTimes(table.kind)) {
      return false;
    }
    const auto& files = files_->of(table.kind);
    return files_->has_unreadable[otap::TableIndex(table.kind)] ||
           std::any_of(files.begin(), files.end(), [this](const FileSummaryPtr& file) {
             return std::any_of(
                 file->row_groups.begin(), file->row_groups.end(),
                 [this](const RowGroupSummary& group) {
                   return group.num_rows > 0 &&
                          (!group.times.has_value() || context_->needs_points(*group.times));
                 });
           });
  });
}

/// Tells whether the statistics show that nobody wants a row of a row group.
bool RootCursor::IsUnwanted(const RowGroupSummary& group) const {
  if (needs_no_points_) {
    return true;
  }
  return selector_ != nullptr && group.times.has_value() &&
         !selector_->wishes().time.MayHave(group.times->least, group.times->most);
}

/// Passes over the next file when nobody wants a row of it.
bool RootCursor::SkipUnwantedFile() {
  const FileSummaryPtr& file = files_->of(kind_)[root_files_[next_file_]];
  const auto& groups = file->row_groups;
  if (groups.empty() || !std::all_of(groups.begin(), groups.end(),
                                     [this](const auto& group) { return IsUnwanted(group); })) {
    return false;
  }
  ++next_file_;
  outcomes_.push_back({.file = file, .status = Status::OK()});
  if (!claims_.empty()) {
    outcomes_.back().claim = claims_[next_file_ - 1];
  }
  for (int group = 0; group < static_cast<int>(groups.size()); ++group) {
    LeaveOutRows(group, 0, groups[static_cast<size_t>(group)].num_rows);
    CountSkippedGroup(group);
  }
  ++context_->report->files_skipped;
  ++context_->report->skipped(SkipCause::kTimes).files;
  return true;
}

/// Passes over the next row group when nobody wants a row of it.
bool RootCursor::SkipUnwantedGroup() {
  if (!IsUnwanted(summary()->row_groups[static_cast<size_t>(next_group_)])) {
    return false;
  }
  LeaveOutRows(next_group_, 0, num_rows(next_group_));
  CountSkippedGroup(next_group_);
  group_first_row_ += num_rows(next_group_);
  ++next_group_;
  return true;
}

/// Counts a row group that statistics of times rule out.
void RootCursor::CountSkippedGroup(int group) {
  const RowGroupSummary& facts = summary()->row_groups[static_cast<size_t>(group)];
  ++context_->report->row_groups_skipped;
  context_->report->skipped(SkipCause::kTimes)
      .Add({.row_groups = 1, .rows = facts.num_rows, .bytes = facts.num_bytes});
}

/// Passes over the next row group when its columns that the selection goes by show that nobody
/// wants a row of it; else it is known which rows may be wanted.
bool RootCursor::SkipScreenedGroup() {
  screened_ = screen_.Ask(file_.get(), next_group_,
                          summary()->row_groups[static_cast<size_t>(next_group_)]);
  next_stretch_ = 0;
  if (!screened_.has_value() || !screened_->empty()) {
    return false;
  }
  LeavePrefetched(next_group_, /*is_opened=*/false);
  LeaveOutRows(next_group_, 0, num_rows(next_group_));
  ++context_->report->payloads_skipped;
  group_first_row_ += num_rows(next_group_);
  ++next_group_;
  return true;
}

/// Passes over rows of the open row group, between two slices, that nobody wants.
bool RootCursor::SkipScreenedRows() {
  if (!screened_.has_value()) {
    return false;
  }
  while (next_stretch_ < screened_->size() && (*screened_)[next_stretch_].end <= slice_first_row_) {
    ++next_stretch_;
  }
  const int64_t end = next_stretch_ < screened_->size() ? (*screened_)[next_stretch_].first
                                                        : num_rows(next_group_ - 1);
  if (end <= slice_first_row_) {
    return false;
  }
  LeaveOutRows(next_group_ - 1, slice_first_row_, end);
  ++context_->report->payloads_skipped;
  context_->report->skipped(SkipCause::kColumns).rows += end - slice_first_row_;
  slice_first_row_ = end;
  return true;
}

/// Counts rows that nobody wants; of those, what is taken is left.
void RootCursor::LeaveOutRows(int group, int64_t first, int64_t end) {
  const RowRanges rows = RowsOf(group, first, end);
  outcomes_.back().selected_out.Add(rows);
  counts().AddDropped(DropReason::kSelectedOut, rows.num_rows());
  counts().rows_left += end - first - rows.num_rows();
}

}  // namespace df::lake
