#include "lake/scan/table_cursor.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include <arrow/array/array_primitive.h>
#include <arrow/util/bitmap_ops.h>
#include <fmt/format.h>

#include "lake/format/parquet_exceptions.h"
#include "lake/scan/repeated_ids.h"
#include "lake/scan/slice_report.h"

namespace df::lake {

namespace {

bool Covers(const std::optional<IdRange>& claimed, IdRange range) {
  return !claimed.has_value() || (claimed->min <= range.min && range.max <= claimed->max);
}

/// Least id that the statistics of a row group allow.
uint32_t LeastId(const ChildRowGroup& group) {
  return group.facts().ids.has_value() ? group.facts().ids->min : 0;
}

}  // namespace

bool Intersects(IdRange range, const IdMap& parents) {
  return range.min <= range.max && range.min <= parents.max() && parents.min() <= range.max;
}

TableCursor::TableCursor(otap::TableKind kind, std::vector<FileSummaryPtr> files,
                         ReadContext* context, bool is_shared)
    : kind_(kind),
      context_(context),
      is_shared_(is_shared),
      has_ids_(otap::GetTable(kind).id_bits != 0) {
  rows_.kind = kind;
  rows_.has_files = !files.empty();
  for (const FileSummaryPtr& file : files) {
    counts().rows_listed += file->num_rows();
    for (size_t i = 0; i < file->row_groups.size(); ++i) {
      if (file->row_groups[i].num_rows == 0 || LeaveOutByTime(file->row_groups[i])) {
        continue;
      }
      auto group = std::make_unique<ChildRowGroup>();
      group->summary = file;
      group->index = static_cast<int>(i);
      if (has_ids_) {
        unopened_ids_.insert(LeastId(*group));
      }
      groups_.push_back(std::move(group));
    }
  }
}

/// Counts a row group of data points when the statistics show that nobody wants their times.
bool TableCursor::LeaveOutByTime(const RowGroupSummary& facts) {
  if (context_->needs_points == nullptr || !facts.times.has_value() ||
      otap::GetTable(kind_).is_root() || context_->needs_points(*facts.times)) {
    return false;
  }
  has_left_out_ = true;
  counts().AddDropped(DropReason::kSelectedOut, facts.num_rows);
  context_->report->skipped(SkipCause::kTimes)
      .Add({.row_groups = 1, .rows = facts.num_rows, .bytes = facts.num_bytes});
  return true;
}

/// Counts a row group of which not even the ids were read.
void TableCursor::CountUnopened(const ChildRowGroup& group) {
  if (context_->is_selecting && !group.is_read) {
    context_->report->skipped(SkipCause::kParents)
        .Add({.row_groups = 1, .rows = group.num_rows(), .bytes = group.facts().num_bytes});
  }
}

TableCursor::~TableCursor() {
  for (auto& group : groups_) {
    Settle(group.get(), nullptr);
  }
}

Location TableCursor::LocationOf(const ChildRowGroup& group) const {
  return {.partition = context_->partition,
          .table = std::string(otap::GetTable(kind_).directory),
          .file = group.summary->entry.path,
          .row_group = group.index};
}

Result<std::shared_ptr<TableFile>> TableCursor::OpenFile(const FileSummary& summary,
                                                         Location location) {
  location.row_group = -1;
  return files_.Get(summary, [&]() -> Result<std::shared_ptr<TableFile>> {
    std::shared_ptr<TableFile> file;
    for (Prefetcher* prefetcher : {context_->prefetcher, context_->screens}) {
      file = file == nullptr && prefetcher != nullptr ? prefetcher->Find(summary) : file;
    }
    if (file == nullptr) {
      ARROW_ASSIGN_OR_RAISE(file,
                            OpenSummarised(*context_->store, context_->base, summary, location));
      if (context_->prefetcher != nullptr) {
        context_->prefetcher->Keep(summary, file);
      }
    }
    ++counts().files_opened;
    return file;
  });
}

Status TableCursor::Open(ChildRowGroup* group) {
  MakeRoomForIds(*group);
  ChildRowGroup::Content content;
  if (context_->prefetcher != nullptr) {  // it may have opened the file by itself
    content.file = context_->prefetcher->Find(*group->summary);
  }
  if (content.file == nullptr) {
    ARROW_ASSIGN_OR_RAISE(content.file, OpenFile(*group->summary, LocationOf(*group)));
  }
  if (context_->prefetcher != nullptr) {
    context_->prefetcher->Leave(*group->summary, group->index);
  }
  std::shared_ptr<void> fetched;
  if (context_->needs_few) {  // perhaps no other column
    fetched = content.file->Announce(group->index, IdLeaves(kind_));
  } else {
    content.file->Prefetch(group->index);
  }
  ARROW_ASSIGN_OR_RAISE(content.parents,
                        content.file->ReadIds(group->index, LeafIndex(kind_, "parent_id")));
  if (has_ids_) {
    ARROW_ASSIGN_OR_RAISE(content.ids, content.file->ReadIds(group->index, LeafIndex(kind_, "id")));
    CheckIdStatistics(*group->summary, group->index, content.ids);
    if (!IdsAscend(content.ids)) {
      DropFilledZeros(kind_, &content.ids);
      content.repeated_ids = FindOwnRepeats(content.ids, context_->budget);
    }
  }
  const bool is_first = !group->is_read;
  const int64_t slice_rows =
      SliceRows(*content.file, group->index, DataLeaves(kind_), context_->slice_bytes);
  if (group->state == ChildRowGroup::State::kUnopened) {
    ForgetUnopened(*group);
    is_index_stale_ = is_index_stale_ || !group->facts().parent_ids.has_value();
  }
  group->Take(std::move(content), slice_rows);
  group->open.ids_bytes = std::min(group->open.ids_bytes, context_->max_charged_bytes);
  open_groups_.push_back(group);
  context_->budget->Reserve(group->open.ids_bytes);
  if (is_first) {
    rows_.read.Add(group->ids);
    if (const int64_t num_null = group->num_rows() - group->num_parents; num_null > 0) {
      counts().AddDropped(DropReason::kNullParent, num_null);
      if (nulls_.num_rows == 0) {
        nulls_.first = LocationOf(*group);
      }
      nulls_.num_rows += num_null;
    }
    CheckStatistics(*group, group->parents);
  }
  return Status::OK();
}

/// The ids of a row group are held whole.
void TableCursor::MakeRoomForIds(const ChildRowGroup& group) {
  if (!context_->budget->Fits(group.num_rows() * (has_ids_ ? 8 : 4) + group.num_rows() / 8)) {
    context_->make_room();
  }
}

/// Compares what the statistics promise with what the pages hold.
void TableCursor::CheckStatistics(const ChildRowGroup& group, IdRange parents) {
  const RowGroupSummary& facts = group.facts();
  if (parents.min > parents.max ||
      (Covers(facts.parent_ids, parents) && !facts.claims_null_parents)) {
    return;
  }
  if (group.summary->parent_statistics.exchange(FileSummary::Trust::kWrong) !=
      FileSummary::Trust::kWrong) {
    is_index_stale_ = true;
    context_->report->AddNotice(MakeError(
        ErrorKind::kParquet,
        fmt::format("the statistics of parent_id are wrong and are not used: found {} in the "
                    "pages, expected {}",
                    ToText(parents),
                    facts.claims_null_parents ? "nulls only" : ToText(*facts.parent_ids)),
        LocationOf(group)));
  }
}

/// Reads the parent ids of a row group that was never opened, of a file that `file` holds.
Status TableCursor::CheckGroup(const ChildRowGroup& group, TableFile* file) {
  MakeRoomForIds(group);
  ARROW_ASSIGN_OR_RAISE(const IdColumn parents,
                        file->ReadIds(group.index, LeafIndex(kind_, "parent_id")));
  CheckStatistics(group, RangeOf(parents, 0, std::ssize(parents.values)));
  return Status::OK();
}

/// Checks the row groups of a file that were never opened. Where one cannot be read: it is lost if
/// nobody asks for it again (`is_last`), else the rest waits and the answer is false.
bool TableCursor::CheckFile(const FileSummaryPtr& summary, bool is_last) {
  Result<std::shared_ptr<TableFile>> file = std::shared_ptr<TableFile>();
  for (const auto& group : groups_) {
    if (group->summary != summary || group->state != ChildRowGroup::State::kUnopened) {
      continue;
    }
    if (file.ok() && *file == nullptr) {
      file = OpenFile(*summary, LocationOf(*group));
    }
    const Status status = file.ok() ? CheckGroup(*group, file->get()) : file.status();
    if (!status.ok() && !is_last) {
      return false;
    }
    if (!status.ok()) {
      Fail(group.get(), status);
    }
  }
  auto unchecked = FileSummary::Trust::kUnchecked;
  summary->parent_statistics.compare_exchange_strong(unchecked, FileSummary::Trust::kRight);
  return true;
}

ChildRows TableCursor::Collect(const IdMap& parents) {
  ChildRows rows;
  ++epoch_;
  if (!parents.empty()) {
    CollectFromAll(parents, &rows);
  }
  return rows;
}

/// Visits the row groups that this epoch has not visited yet.
void TableCursor::CollectFromAll(const IdMap& parents, ChildRows* rows) {
  if (std::exchange(is_index_stale_, false)) {
    index_.Build(groups_);
  }
  const auto [first, end] = index_.Find({.min = parents.min(), .max = parents.max()});
  for (size_t i = first; i < end && !context_->is_payload_too_large; ++i) {
    ChildRowGroup* const group = groups_[i].get();
    if (group->collected_epoch == epoch_ || !Intersects(PossibleParents(*group), parents)) {
      continue;
    }
    group->collected_epoch = epoch_;
    const size_t num_pieces = rows->pieces.size();
    const size_t num_rows = rows->parents.size();
    const Status status =
        CatchParquet(LocationOf(*group), [&] { return CollectFrom(group, parents, rows); });
    if (!status.ok()) {
      Fail(group, status);
      rows->pieces.resize(num_pieces);
      rows->parents.resize(num_rows);
      rows->ids.resize(has_ids_ ? num_rows : 0);
      rows->id_states.resize(has_ids_ ? num_rows : 0);
    }
  }
}

bool TableCursor::CheckSkipped() {
  if (std::exchange(has_checked_skipped_, true)) {
    return false;
  }
  bool is_wrong = false;
  for (const auto& group : groups_) {
    if (group->state == ChildRowGroup::State::kUnopened &&
        group->summary->parent_statistics == FileSummary::Trust::kUnchecked) {
      CheckFile(group->summary, true);
      is_wrong = is_wrong || group->summary->parent_statistics == FileSummary::Trust::kWrong;
    }
  }
  is_index_stale_ = is_index_stale_ || is_wrong;
  return is_wrong;
}

void TableCursor::LookBehindStatistics(const IdMap& parents, ChildRows* rows) {
  for (const auto& group : groups_) {
    if (!parents.empty() && group->state == ChildRowGroup::State::kUnopened &&
        group->summary->parent_statistics == FileSummary::Trust::kUnchecked) {
      if (!CheckFile(group->summary, context_->is_partial)) {
        return;  // reported when it is needed, at the latest by Finish
      }
    }
  }
  if (!parents.empty()) {
    is_index_stale_ = true;  // another cursor may have found statistics to be wrong
    CollectFromAll(parents, rows);
  }
}

void TableCursor::Commit() {
  for (const Pending& pending : pending_) {
    counts().AddEmitted(pending.group->Mark(pending.slice, pending.rows));
    ChildSlice& slice = pending.group->open.slices[pending.slice];
    if (!is_shared_ && slice.num_done == slice.num_parents) {
      Free(&slice);
      slice.is_released = true;
    }
  }
  pending_.clear();
}

void TableCursor::Drop(DropReason reason) {
  for (const Pending& pending : pending_) {
    if (!is_shared_) {  // what is shared may go out with another payload
      counts().AddDropped(reason, pending.group->Mark(pending.slice, pending.rows));
    }
  }
  if (!is_shared_) {
    for (const Pending& pending : pending_) {
      rows_.lost.Add(pending.group->ids);
    }
  }
  pending_.clear();
}

void TableCursor::Free(ChildSlice* slice) {
  if (slice->data != nullptr) {
    context_->budget->Release(slice->data->size_bytes);
    slice->data = nullptr;
  }
}

void TableCursor::ParkIdle() {
  const std::vector<ChildRowGroup*> open = open_groups_;  // parking takes out of it
  for (ChildRowGroup* group : open) {
    if (group->collected_epoch != epoch_) {
      Park(group);
    }
  }
}

/// Frees an open row group and keeps what tells its rows apart.
void TableCursor::Park(ChildRowGroup* group) {
  if (group->state != ChildRowGroup::State::kOpen) {
    return;
  }
  if (!is_shared_ && !context_->is_partial) {
    group->ListLeft();
  }
  Empty(group);
  if (group->num_left() == 0 && !is_shared_) {
    SetDone(group);
  } else {
    group->state = ChildRowGroup::State::kParked;
  }
}

/// Frees what an open row group holds.
void TableCursor::Empty(ChildRowGroup* group) {
  for (ChildSlice& slice : group->open.slices) {
    Free(&slice);
  }
  CloseStream(group);
  context_->budget->Release(group->open.ids_bytes);
  group->open = {};
  std::erase(open_groups_, group);
}

void TableCursor::ForgetUnopened(const ChildRowGroup& group) {
  if (has_ids_) {
    unopened_ids_.erase(unopened_ids_.find(LeastId(group)));
  }
}

/// From now on every row is counted.
void TableCursor::SetDone(ChildRowGroup* group) {
  if (group->state == ChildRowGroup::State::kUnopened) {
    ForgetUnopened(*group);
  }
  group->state = ChildRowGroup::State::kDone;
  rows_.lost.Add(group->left_ids);
  group->done = {};
  group->left = {};
}

void TableCursor::Fail(ChildRowGroup* group, const Status& error) {
  context_->report->Add(WithContext(error, KindOf(error), LocationOf(*group)));
  context_->report->files_failed += group->summary->has_failed.exchange(true) ? 0 : 1;
  files_.Forget(*group->summary);
  if (context_->prefetcher != nullptr) {
    context_->prefetcher->Forget(*group->summary);
  }
  has_failed_ = true;
  std::erase_if(pending_, [group](const Pending& pending) { return pending.group == group; });
  counts().AddDropped(DropReason::kUnreadable, group->num_left());
  if (group->is_read) {
    rows_.lost.Add(group->ids);
  } else {
    rows_.lost.AddEverything();  // statistics are no proof
  }
  Empty(group);
  SetDone(group);
}

void TableCursor::ReleaseBefore(uint32_t min_unread_parent) {
  const std::vector<ChildRowGroup*> open = open_groups_;  // parking takes out of it
  for (ChildRowGroup* group : open) {
    bool is_alive = false;
    for (ChildSlice& slice : group->open.slices) {
      if (!slice.is_released && slice.parents.max < min_unread_parent) {
        Free(&slice);
        slice.is_released = true;
      }
      is_alive = is_alive || !slice.is_released;
    }
    if (!is_alive) {
      Park(group);
    }
  }
}

uint32_t TableCursor::MinUnreadId() const {
  uint32_t low =
      unopened_ids_.empty() ? std::numeric_limits<uint32_t>::max() : *unopened_ids_.begin();
  for (const ChildRowGroup* group : open_groups_) {
    for (const ChildSlice& slice : group->open.slices) {
      if (!slice.is_released) {
        low = std::min(low, slice.min_id);
      }
    }
  }
  return low;
}

void TableCursor::Finish(const ParentRows& parents) {
  for (auto& group : groups_) {
    if (group->state == ChildRowGroup::State::kUnopened && !is_shared_ && !context_->is_partial) {
      // Nobody asked for it by its statistics: the ids tell why.
      if (const Status status = Open(group.get()); !status.ok()) {
        Fail(group.get(), status);
      }
    }
    Settle(group.get(), &parents);
  }
  NameLosses(parents);
}

/// Counts the rows of a row group that are not counted yet; `parents` is null when the reader was
/// left in the middle.
void TableCursor::Settle(ChildRowGroup* group, const ParentRows* parents) {
  Park(group);
  if (group->state == ChildRowGroup::State::kDone) {
    return;
  }
  if (parents != nullptr) {
    CountUnopened(*group);
  }
  if (is_shared_ || context_->is_partial || parents == nullptr) {
    counts().rows_left += group->num_left();
    SetDone(group);
    return;
  }
  for (const IdRuns::Run& run : group->left.runs()) {
    DropReason reason = DropReason::kOrphan;
    if (!Covers(group->facts().parent_ids, run.ids) && parents->read.Overlaps(run.ids)) {
      reason = DropReason::kWrongStatistics;
      AddLoss(&hidden_, *group, run);
    } else if (parents->lost.Overlaps(run.ids)) {
      reason = DropReason::kLostParent;
    } else {
      AddLoss(&orphans_, *group, run);
    }
    counts().AddDropped(reason, run.num_rows);
  }
  SetDone(group);
}

void TableCursor::AddLoss(Loss* loss, const ChildRowGroup& group, const IdRuns::Run& run) {
  if (loss->num_rows == 0) {
    loss->first = LocationOf(group);
  }
  loss->num_rows += run.num_rows;
  Extend(&loss->ids, run.ids);
}

void TableCursor::NameLosses(const ParentRows& parents) {
  const std::string_view table = otap::GetTable(kind_).directory;
  const std::string_view parent_table = otap::GetTable(parents.kind).directory;
  if (orphans_.num_rows > 0) {
    context_->report->Add(MakeError(
        ErrorKind::kMissingFile,
        fmt::format("found {} rows of {} whose parent_id names no row of {} ({}){}, expected each "
                    "to name one",
                    orphans_.num_rows, table, parent_table, ToText(orphans_.ids),
                    parents.has_files
                        ? ""
                        : fmt::format(": the partition has no file of {}", parent_table)),
        orphans_.first));
  }
  if (nulls_.num_rows > 0) {
    context_->report->Add(
        MakeError(ErrorKind::kReconstruction,
                  fmt::format("found {} rows of {} whose parent_id is null, expected each to name "
                              "a row",
                              nulls_.num_rows, table),
                  nulls_.first));
  }
  if (hidden_.num_rows > 0) {
    context_->report->Add(MakeError(
        ErrorKind::kParquet,
        fmt::format("found {} rows of {} ({}) outside the statistics of their row group after the "
                    "rows of {} that they belong to had gone out without them",
                    hidden_.num_rows, table, ToText(hidden_.ids), parent_table),
        hidden_.first));
  }
}

}  // namespace df::lake
