#include "lake/read/root_cursor.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "lake/format/parquet_exceptions.h"
#include "lake/scan/slice_report.h"
#include "select/selector.h"

namespace df::lake {
namespace {

constexpr uint32_t kNoId = std::numeric_limits<uint32_t>::max();

/// The smallest id of the rows ahead is known by blocks of so many.
constexpr int64_t kBlockRows = 64;

/// Rows that nobody wants are read where no more than so many stand between wanted ones: payloads
/// of few rows cost more.
constexpr int64_t kRowsBetween = 1024;

/// Smallest id that the statistics of a row group allow.
uint32_t MinId(const RowGroupSummary& group) { return group.ids.has_value() ? group.ids->min : 0; }

}  // namespace

IdRange IdsOf(const RootRows& rows) {
  IdRange ids = kEmptyIdRange;
  for (int64_t row = rows.first_row_of_group; row < rows.first_row_of_group + rows.num_rows;
       ++row) {
    if (rows.ids->is_valid(row)) {
      Extend(&ids, rows.ids->values[static_cast<size_t>(row)]);
    }
  }
  return ids;
}

RootCursor::RootCursor(const PartitionTask& task, const ReadOptions& options, ReadContext* context)
    : kind_(otap::RootTable(task.signal)),
      files_(task.files),
      root_files_(task.root_files),
      claims_(task.claims),
      taken_(task.taken),
      batch_size_(options.batch_size),
      selector_(options.selector),
      screen_(options.selector, *task.files, task.signal,
              std::min(options.batch_size, kRowsBetween), context),
      context_(context),
      dense_ahead_(task, context,
                   [this](const RowGroupSummary& group) { return !IsUnwanted(group); }),
      needs_no_points_(context->needs_points != nullptr && !NeedsPoints()),
      resources_(*task.files, task.signal, options.resource_join, context),
      min_id_from_file_(task.root_files.size() + 1, kNoId),
      stream_held_(context->budget) {
  rows_.kind = kind_;
  rows_.has_files = !files_->of(kind_).empty();
  if (files_->has_unreadable[otap::TableIndex(kind_)]) {
    rows_.has_files = true;
    rows_.lost.AddEverything();
  }
  for (size_t i = root_files_.size(); i-- > 0;) {
    min_id_from_file_[i] = min_id_from_file_[i + 1];
    counts().rows_listed += files_->of(kind_)[root_files_[i]]->num_rows();
    for (const RowGroupSummary& group : files_->of(kind_)[root_files_[i]]->row_groups) {
      min_id_from_file_[i] = std::min(min_id_from_file_[i], MinId(group));
    }
  }
  std::vector<FileSummaryPtr> roots;
  for (const size_t file : root_files_) {
    roots.push_back(files_->of(kind_)[file]);
  }
  screen_.FetchAhead(roots, [this](const RowGroupSummary& group) { return !IsUnwanted(group); });
}

RootCursor::~RootCursor() {
  counts().rows_left += RowsAhead();
  CloseGroup();
}

/// Rows that were neither given out nor dropped.
int64_t RootCursor::RowsAhead() const {
  int64_t rows = 0;
  if (is_in_file_) {
    for (int group = next_group_; group < num_groups(); ++group) {
      rows += num_rows(group);
    }
    if (stream_ != nullptr) {
      rows += num_rows(next_group_ - 1) - slice_first_row_ - slice_offset_;
    }
  }
  for (size_t i = next_file_; i < root_files_.size(); ++i) {
    rows += files_->of(kind_)[root_files_[i]]->num_rows();
  }
  return rows;
}

void RootCursor::Shorten(RootRows* rows, int64_t num_rows) {
  slice_offset_ -= rows->num_rows - num_rows;
  rows->num_rows = num_rows;
}

void RootCursor::Commit(const RootRows& /*rows*/, const Origin& origin) {
  counts().AddEmitted(origin.num_emitted());
  counts().AddDropped(DropReason::kSelectedOut, origin.num_selected_out);
  counts().AddDropped(DropReason::kUnanswered, origin.num_unanswered);
  outcomes_.back().rows_emitted += origin.num_emitted();
}

void RootCursor::LeaveOut(const RootRows& rows, const Origin& origin) {
  Commit(rows, origin);
  outcomes_.back().selected_out.Add(rows.row_group, rows.first_row_of_group, rows.num_rows);
}

void RootCursor::Drop(const RootRows& rows, DropReason reason, const Status& error) {
  rows_.lost.Add(IdsOf(rows));
  outcomes_.back().dropped.Add(rows.row_group, rows.first_row_of_group, rows.num_rows);
  counts().AddDropped(reason, rows.num_rows);
  Fail(error);
}

void RootCursor::DropRest(DropReason reason) {
  counts().AddDropped(reason, RowsAhead());
  rows_.lost.AddEverything();
  CloseGroup();
  LeaveFile();
  next_file_ = root_files_.size();
}

const FileSummaryPtr& RootCursor::summary() const {
  return files_->of(kind_)[root_files_[next_file_ - 1]];
}

/// Looks at what is known of the next file; nothing of it is read.
void RootCursor::EnterNextFile() {
  ++next_file_;
  is_in_file_ = true;
  min_id_behind_file_ = min_id_from_file_[next_file_];
  next_group_ = 0;
  group_first_row_ = 0;
  const std::vector<RowGroupSummary>& groups = summary()->row_groups;
  min_id_from_group_.assign(groups.size() + 1, kNoId);
  for (size_t i = groups.size(); i-- > 0;) {
    min_id_from_group_[i] = std::min(min_id_from_group_[i + 1], MinId(groups[i]));
  }
  outcomes_.push_back({.file = summary(), .status = Status::OK()});
  if (!claims_.empty()) {
    outcomes_.back().claim = claims_[next_file_ - 1];
  }
}

/// A row group is opened or passed over.
void RootCursor::LeavePrefetched(int group, bool is_opened) {
  for (Prefetcher* prefetcher : {context_->prefetcher, context_->screens}) {
    if (prefetcher != nullptr && is_opened) {
      prefetcher->Leave(*summary(), group);
    } else if (prefetcher != nullptr) {
      prefetcher->PassOver(*summary(), group);
    }
  }
}

void RootCursor::LeaveFile() {
  file_ = nullptr;
  stretches_.clear();
  is_in_file_ = false;
}

/// Opens the file, unless it is open.
bool RootCursor::HasOpened() {
  const Status status = file_ == nullptr ? OpenFile() : Status::OK();
  if (!status.ok()) {
    DropFile(status);
  }
  return status.ok();
}

Status RootCursor::OpenFile() {
  const Location location{.partition = context_->partition,
                          .table = std::string(otap::GetTable(kind_).directory),
                          .file = summary()->entry.path};
  return CatchParquet(location, [&]() -> Status {
    for (Prefetcher* prefetcher : {context_->prefetcher, context_->screens}) {
      file_ = file_ == nullptr && prefetcher != nullptr ? prefetcher->Find(*summary()) : file_;
    }
    if (file_ == nullptr) {
      ARROW_ASSIGN_OR_RAISE(file_,
                            OpenSummarised(*context_->store, context_->base, *summary(), location));
      if (context_->prefetcher != nullptr) {
        context_->prefetcher->Keep(*summary(), file_);
      }
    }
    ++counts().files_opened;
    return Status::OK();
  });
}

/// Learns what the resource and scope ids of the open file mean, unless it is known. That costs a
/// look at all root files of the partition: it is done only for rows that may be wanted.
bool RootCursor::HasResources() {
  const Status status = stretches_.empty() ? ResolveResources() : Status::OK();
  if (!status.ok()) {
    DropFile(status);
  }
  return status.ok();
}

Status RootCursor::ResolveResources() {
  ARROW_ASSIGN_OR_RAISE(stretches_, resources_.Resolve(*file_, root_files_[next_file_ - 1]));
  stretch_min_offset_.assign(stretches_.size(), kNoId);
  uint32_t low = kNoId;
  for (size_t i = stretches_.size(); i-- > 0;) {
    low = std::min(low, stretches_[i].least_offset);
    stretch_min_offset_[i] = low;
  }
  return Status::OK();
}

/// Tells whether less than half of the rows of the row group that is opened are needed.
bool RootCursor::NeedsFew(int64_t num_rows) const {
  return screened_.has_value() && CountRows(*screened_) <= num_rows / 2;
}

Status RootCursor::OpenNextGroup() {
  const int group = next_group_++;
  const int64_t rows = num_rows(group);
  group_file_ = dense_ahead_.Find(*summary());
  group_file_ = group_file_ == nullptr ? file_ : group_file_;
  LeavePrefetched(group, /*is_opened=*/true);
  auto open = [&]() -> Status {
    const std::vector<bool> wanted = DataLeaves(kind_);
    context_->needs_few = NeedsFew(rows);
    std::shared_ptr<void> ids_fetched;
    if (context_->needs_few) {  // perhaps few pages of the other columns
      ids_fetched = group_file_->Announce(group, IdLeaves(kind_));
    } else {
      group_file_->Prefetch(group);
    }
    dense_ahead_.Follow(*summary(), group, !context_->needs_few);
    ARROW_ASSIGN_OR_RAISE(auto stream,
                          group_file_->OpenRowGroup(group, wanted, context_->limits,
                                                    screened_.has_value() ? &*screened_ : nullptr));
    ARROW_ASSIGN_OR_RAISE(ids_, group_file_->ReadIds(group, LeafIndex(kind_, "id")));
    stream_ = std::move(stream);
    stream_row_ = 0;
    slice_rows_ = SliceRows(*group_file_, group, wanted, context_->slice_bytes);
    return Status::OK();
  };
  const Status status = CatchParquet({}, open);
  if (!status.ok()) {
    DropGroup(status);
    CloseGroup();
    group_first_row_ += rows;
    return Status::OK();
  }
  // Whole payloads fit a slice as long as a slice holds at least one.
  slice_rows_ = slice_rows_ > batch_size_ ? slice_rows_ / batch_size_ * batch_size_ : slice_rows_;
  min_id_from_block_.assign(static_cast<size_t>(rows / kBlockRows) + 2, kNoId);
  IdRange range = kEmptyIdRange;
  for (int64_t row = rows; row-- > 0;) {
    const auto block = static_cast<size_t>(row / kBlockRows);
    if ((row + 1) % kBlockRows == 0 || row + 1 == rows) {
      min_id_from_block_[block] = min_id_from_block_[block + 1];
    }
    if (ids_.is_valid(row)) {
      const uint32_t id = ids_.values[static_cast<size_t>(row)];
      min_id_from_block_[block] = std::min(min_id_from_block_[block], id);
      range = {std::min(range.min, id), std::max(range.max, id)};
    }
  }
  rows_.read.Add(range);
  ids_bytes_ = std::min(
      static_cast<int64_t>((ids_.values.size() + min_id_from_block_.size()) * sizeof(uint32_t)),
      context_->max_charged_bytes);
  context_->budget->Reserve(ids_bytes_);
  slice_first_row_ = 0;
  slice_offset_ = 0;
  return Status::OK();
}

Status RootCursor::DecodeSlice() {
  const int group = next_group_ - 1;
  int64_t rows = std::min(slice_rows_, num_rows(group) - slice_first_row_);
  if (screened_.has_value()) {
    rows = std::min(rows, (*screened_)[next_stretch_].end - slice_first_row_);
  }
  if (!context_->budget->Fits(context_->slice_bytes)) {
    context_->make_room();
  }
  auto slice = std::make_shared<TableSlice>();
  if (slice_first_row_ > stream_row_) {
    ARROW_RETURN_NOT_OK(stream_->Skip(slice_first_row_ - stream_row_));
  }
  ARROW_ASSIGN_OR_RAISE(DecodedRows decoded, stream_->Next(rows));
  stream_row_ = slice_first_row_ + decoded.num_rows;
  stream_held_.Set(stream_->large_bytes());
  slice->num_rows = decoded.num_rows;
  slice->leaves = std::move(decoded.leaves);
  slice->refused = std::move(decoded.refused);
  slice->size_bytes = SliceBytes(slice->leaves);
  context_->budget->Reserve(slice->size_bytes);
  counts().bytes_decoded += slice->size_bytes;
  ReportSlice(kind_, *slice,
              {.partition = context_->partition, .table = "", .file = summary()->entry.path},
              context_->report);
  slice_ = std::move(slice);
  slice_offset_ = 0;
  return Status::OK();
}

Result<std::optional<RootRows>> RootCursor::Next() {
  while (true) {
    if (slice_ != nullptr && slice_offset_ < slice_->num_rows) {
      if (SkipTakenRows() || DropRefusedRows()) {
        continue;
      }
      RootRows rows;
      rows.slice = slice_;
      rows.offset = slice_offset_;
      rows.num_rows = std::min(batch_size_, NextRefused() - slice_offset_);
      rows.first_row_of_group = slice_first_row_ + slice_offset_;
      if (taken() != nullptr) {
        rows.num_rows =
            std::min(rows.num_rows, taken()->NextIn(next_group_ - 1, rows.first_row_of_group) -
                                        rows.first_row_of_group);
      }
      rows.first_row_of_file = group_first_row_ + rows.first_row_of_group;
      rows.row_group = next_group_ - 1;
      rows.is_screened = screened_.has_value();
      rows.file = summary();
      rows.ids = &ids_;
      rows.stretches = &stretches_;
      rows.resources = &resources_;
      slice_offset_ += rows.num_rows;
      return rows;
    }
    if (slice_ != nullptr) {
      slice_first_row_ += slice_->num_rows;
      slice_offset_ = 0;
      context_->budget->Release(slice_->size_bytes);
      slice_ = nullptr;
    }
    if (stream_ != nullptr) {
      if (SkipScreenedRows()) {
        continue;
      }
      if (slice_first_row_ < num_rows(next_group_ - 1)) {
        const Status status = CatchParquet({}, [this] { return DecodeSlice(); });
        if (!status.ok()) {
          DropGroup(status);
          group_first_row_ += num_rows(next_group_ - 1);
          CloseGroup();
        }
        continue;
      }
      group_first_row_ += num_rows(next_group_ - 1);
      CloseGroup();
    } else if (is_in_file_) {
      if (next_group_ < num_groups()) {
        if (!SkipTakenGroup() && !SkipUnwantedGroup() && HasOpened() && !SkipScreenedGroup() &&
            HasResources()) {
          ARROW_RETURN_NOT_OK(OpenNextGroup());
        }
        continue;
      }
      CloseFile();
    } else {
      if (next_file_ == root_files_.size()) {
        return std::nullopt;
      }
      if (!SkipUnwantedFile()) {
        EnterNextFile();
      }
    }
  }
}

void RootCursor::CloseGroup() {
  if (slice_ != nullptr) {
    context_->budget->Release(slice_->size_bytes);
    slice_ = nullptr;
  }
  context_->budget->Release(ids_bytes_);
  ids_bytes_ = 0;
  if (stream_ != nullptr) {
    const PassedRows passed = stream_->passed();
    context_->report->skipped(SkipCause::kColumns)
        .Add({.pages = passed.num_pages, .bytes = passed.num_bytes});
  }
  stream_ = nullptr;
  group_file_ = nullptr;
  screened_.reset();
  stream_held_.Set(0);
  ids_ = {};
  min_id_from_block_.clear();
}

void RootCursor::CloseFile() {
  context_->report->files_replayed += outcomes_.back().status.ok() ? 1 : 0;
  LeaveFile();
}

void RootCursor::Fail(const Status& error) {
  context_->report->Add(error);
  if (outcomes_.back().status.ok()) {
    context_->report->files_failed += summary()->has_failed.exchange(true) ? 0 : 1;
    outcomes_.back().status = error;
  }
}

/// Rows of the open file's groups up to `last_group`, of the first one from `first_row` on, without
/// those that are taken.
RowRanges RootCursor::RowsFrom(int first_group, int last_group, int64_t first_row) const {
  RowRanges rows;
  const auto& groups = summary()->row_groups;
  for (int group = first_group; group <= last_group; ++group) {
    rows.Add(RowsOf(group, group == first_group ? first_row : 0,
                    groups[static_cast<size_t>(group)].num_rows));
  }
  return rows;
}

/// Rows of a row group of the open file from `first` to before `end`, without those that are taken.
RowRanges RootCursor::RowsOf(int group, int64_t first, int64_t end) const {
  RowRanges rows;
  for (int64_t row = first; row < end;) {
    row = taken() == nullptr ? row : taken()->EndOfRun(group, row);
    const int64_t next = taken() == nullptr ? end : std::min(end, taken()->NextIn(group, row));
    rows.Add(group, row, next - row);
    row = next;
  }
  return rows;
}

const RowRanges* RootCursor::taken() const {
  return taken_.empty() || taken_[next_file_ - 1].empty() ? nullptr : &taken_[next_file_ - 1];
}

/// Passes over the next row group when all of it is taken.
bool RootCursor::SkipTakenGroup() {
  const int64_t rows = num_rows(next_group_);
  if (taken() == nullptr || rows == 0 || taken()->EndOfRun(next_group_, 0) < rows) {
    return false;
  }
  LeavePrefetched(next_group_, /*is_opened=*/false);
  counts().rows_left += rows;
  group_first_row_ += rows;
  ++next_group_;
  return true;
}

/// Passes over taken rows of the slice.
bool RootCursor::SkipTakenRows() {
  if (taken() == nullptr) {
    return false;
  }
  const int64_t row = slice_first_row_ + slice_offset_;
  const int64_t rows =
      std::min(taken()->EndOfRun(next_group_ - 1, row) - row, slice_->num_rows - slice_offset_);
  slice_offset_ += rows;
  counts().rows_left += rows;
  return rows > 0;
}

/// Returns the next row of the slice that is refused, the end of the slice when there is none.
int64_t RootCursor::NextRefused() const {
  for (const RefusedRows& rows : slice_->refused) {
    if (rows.first_row >= slice_offset_) {
      return rows.first_row;
    }
  }
  return slice_->num_rows;
}

/// Drops rows of the slice that are too large to be read.
bool RootCursor::DropRefusedRows() {
  for (const RefusedRows& rows : slice_->refused) {
    const int64_t end = rows.first_row + rows.num_rows;
    if (slice_offset_ < rows.first_row || slice_offset_ >= end) {
      continue;
    }
    const int64_t first = slice_first_row_ + slice_offset_;
    int64_t num_rows = end - slice_offset_;
    if (taken() != nullptr) {
      num_rows = std::min(num_rows, taken()->NextIn(next_group_ - 1, first) - first);
    }
    IdRange ids = kEmptyIdRange;
    for (int64_t row = first; row < first + num_rows; ++row) {
      if (ids_.is_valid(row)) {
        Extend(&ids, ids_.values[static_cast<size_t>(row)]);
      }
    }
    rows_.lost.Add(ids);
    outcomes_.back().dropped.Add(next_group_ - 1, first, num_rows);
    counts().AddDropped(DropReason::kUnreadable, num_rows);
    Fail(MakeError(ErrorKind::kParquet, rows.why.message(),
                   {.partition = context_->partition,
                    .table = std::string(otap::GetTable(kind_).directory),
                    .file = summary()->entry.path,
                    .row_group = next_group_ - 1}));
    slice_offset_ += num_rows;
    return true;
  }
  return false;
}

/// Reports what cannot be read and counts its rows: those of the open row group from the current
/// slice on, or those that are left of the file. What may pass is left for another attempt where
/// there can be one.
void RootCursor::DropGroup(const Status& error) {
  Location location{.partition = context_->partition,
                    .table = std::string(otap::GetTable(kind_).directory),
                    .file = summary()->entry.path};
  int64_t all_rows = 0;
  RowRanges rows;
  if (file_ != nullptr) {
    const int64_t first = stream_ == nullptr ? 0 : slice_first_row_;
    location.row_group = next_group_ - 1;
    all_rows = num_rows(next_group_ - 1) - first;
    rows = RowsFrom(next_group_ - 1, next_group_ - 1, first);
  } else {
    for (int group = next_group_; group < num_groups(); ++group) {
      all_rows += num_rows(group);
    }
    rows = RowsFrom(next_group_, num_groups() - 1, 0);
  }
  const Status located = WithContext(error, KindOf(error), location, IsRetryable(error));
  rows_.lost.Add(IdsAhead());
  counts().rows_left += all_rows - rows.num_rows();
  if (!claims_.empty() && IsRetryable(located)) {
    RootOutcome& outcome = outcomes_.back();
    outcome.status = outcome.unread.empty() ? located : outcome.status;
    outcome.unread.Add(rows);
    counts().rows_left += rows.num_rows();
    return;
  }
  Fail(located);
  outcomes_.back().dropped.Add(rows);
  counts().AddDropped(DropReason::kUnreadable, rows.num_rows());
}

/// Drops the rows that are left of a file.
void RootCursor::DropFile(const Status& error) {
  file_ = nullptr;
  screened_.reset();
  for (Prefetcher* prefetcher : {context_->prefetcher, context_->screens}) {
    if (prefetcher != nullptr) {
      prefetcher->Forget(*summary());
    }
  }
  DropGroup(error);
  LeaveFile();
}

/// Range of the ids of the open row group from the current slice on, where they were read.
IdRange RootCursor::IdsAhead() const {
  if (file_ == nullptr || next_group_ == 0 || ids_.values.empty()) {
    return {0, kNoId};  // statistics are no proof
  }
  IdRange range = kEmptyIdRange;
  const auto rows = static_cast<int64_t>(ids_.values.size());
  for (int64_t row = stream_ == nullptr ? 0 : slice_first_row_; row < rows; ++row) {
    if (ids_.is_valid(row)) {
      Extend(&range, ids_.values[static_cast<size_t>(row)]);
    }
  }
  return range;
}

uint32_t RootCursor::MinUnreadId() const {
  uint32_t low = kNoId;
  if (!is_in_file_) {
    return min_id_from_file_[next_file_];
  }
  low = std::min(min_id_behind_file_, min_id_from_group_[static_cast<size_t>(next_group_)]);
  if (stream_ != nullptr) {
    low = std::min(
        low,
        min_id_from_block_[static_cast<size_t>((slice_first_row_ + slice_offset_) / kBlockRows)]);
  }
  return low;
}

uint32_t RootCursor::MinUnreadResource() const {
  if (stretches_.empty() || file_->has_partition_scope_ids() ||
      stretches_.front().join != StretchJoin::kInferred) {
    return next_file_ == root_files_.size() && !is_in_file_ ? kNoId : 0;
  }
  // Offsets are ids of root rows, so the ids behind this file bound those of later files.
  const int64_t row =
      group_first_row_ + (stream_ == nullptr ? 0 : slice_first_row_ + slice_offset_);
  const auto stretch =
      std::upper_bound(stretches_.begin(), stretches_.end(), row,
                       [](int64_t value, const ResourceStretch& s) { return value < s.first_row; });
  const size_t index =
      stretch == stretches_.begin() ? 0 : static_cast<size_t>(stretch - stretches_.begin()) - 1;
  return std::min(min_id_behind_file_, stretch_min_offset_[index]);
}

}  // namespace df::lake
