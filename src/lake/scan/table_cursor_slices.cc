// What TableCursor does with the slices of a row group: which rows of them a payload takes.
#include <algorithm>
#include <numeric>
#include <utility>

#include <arrow/array/array_primitive.h>

#include "lake/scan/slice_report.h"
#include "lake/scan/table_cursor.h"

namespace df::lake {

Status TableCursor::CollectFrom(ChildRowGroup* group, const IdMap& parents, ChildRows* rows) {
  if (group->state != ChildRowGroup::State::kOpen) {
    ARROW_RETURN_NOT_OK(Open(group));
  }
  if (context_->is_selecting) {
    ARROW_RETURN_NOT_OK(Announce(group, parents));
  }
  for (size_t i = 0; i < group->open.slices.size() && !context_->is_payload_too_large; ++i) {
    if (MayHave(group->open.slices[i], parents)) {
      ARROW_RETURN_NOT_OK(Select(group, &i, parents, rows));
    }
  }
  return Status::OK();
}

/// Tells whether a slice may have rows for a payload.
bool TableCursor::MayHave(const ChildSlice& slice, const IdMap& parents) const {
  const bool is_done = !is_shared_ && slice.num_done == slice.num_parents;
  return !is_done && Intersects(slice.parents, parents);
}

/// Tells which rows of a row group a payload needs, before the first of them is decoded.
Status TableCursor::Announce(ChildRowGroup* group, const IdMap& parents) {
  ChildRowGroup::Content& open = group->open;
  open.needed.clear();
  for (const ChildSlice& slice : open.slices) {
    if (slice.data == nullptr && MayHave(slice, parents)) {
      open.needed.push_back({slice.first_row, slice.first_row + slice.num_rows});
    }
  }
  if (open.stream != nullptr && !open.needed.empty()) {
    ARROW_ASSIGN_OR_RAISE(const bool is_readable, open.stream->Need(open.needed));
    if (!is_readable) {
      CloseStream(group);
    }
  }
  return Status::OK();
}

namespace {

/// Appends the own ids of the rows taken: a stretch from `first` on, or the chosen rows when
/// `first` is -1.
void AppendIds(const IdColumn& ids, const ParentIdSet& repeated, int64_t slice_row, int64_t first,
               const std::vector<int32_t>& chosen, int64_t count, ChildRows* rows) {
  const size_t begin = rows->ids.size();
  rows->ids.resize(begin + static_cast<size_t>(count));
  rows->id_states.resize(begin + static_cast<size_t>(count), ChildRows::kId);
  const uint32_t* values = ids.values.data() + slice_row;
  if (first >= 0) {
    std::copy_n(values + first, count, rows->ids.data() + begin);
  }
  for (int64_t i = 0; first < 0 && i < count; ++i) {
    rows->ids[begin + static_cast<size_t>(i)] = values[chosen[static_cast<size_t>(i)]];
  }
  for (int64_t i = 0; ids.validity != nullptr && i < count; ++i) {
    const int64_t row = slice_row + (first >= 0 ? first + i : chosen[static_cast<size_t>(i)]);
    rows->id_states[begin + static_cast<size_t>(i)] =
        ids.is_valid(row) ? ChildRows::kId : ChildRows::kNoId;
  }
  for (size_t i = begin; !repeated.empty() && i < rows->ids.size(); ++i) {
    if (rows->id_states[i] == ChildRows::kId && repeated.Has(rows->ids[i])) {
      rows->id_states[i] = ChildRows::kRepeatedId;
    }
  }
}

}  // namespace

/// `slice_index` follows its slice when slices in front of it are cut.
Status TableCursor::Select(ChildRowGroup* group, size_t* slice_index, const IdMap& parents,
                           ChildRows* rows) {
  Choice choice;
  const size_t first_new = rows->parents.size();
  Choose(group, *slice_index, parents, &choice, rows);
  if (rows->parents.size() == first_new) {
    return Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(const bool was_cut, EnsureDecoded(group, slice_index));
  if (was_cut) {  // into slices that are looked at one by one
    rows->parents.resize(first_new);
    return Select(group, slice_index, parents, rows);
  }
  ChildSlice& slice = group->open.slices[*slice_index];
  if (!slice.data->refused.empty()) {
    DropRefused(group, *slice_index, first_new, &choice, rows);
  }
  const auto taken = static_cast<int64_t>(rows->parents.size() - first_new);
  if (taken == 0) {
    return Status::OK();
  }
  const std::vector<int32_t>& chosen = choice.rows;
  Piece piece{.slice = slice.data,
              .offset = choice.first,
              .length = taken,
              .selection = nullptr,
              .file = group->summary.get(),
              .row_group = group->index,
              .first_row = slice.first_row};
  const bool is_stretch = chosen.empty() || (chosen.back() - chosen.front() + 1 == taken &&
                                             std::is_sorted(chosen.begin(), chosen.end()));
  if (is_stretch) {
    piece.offset = chosen.empty() ? choice.first : chosen.front();
  } else {
    piece.selection = std::make_shared<arrow::Int32Array>(taken, arrow::Buffer::FromVector(chosen));
  }
  if (has_ids_) {
    AppendIds(group->open.ids, group->open.repeated_ids, slice.first_row,
              chosen.empty() ? choice.first : -1, chosen, taken, rows);
  }
  pending_.push_back({group, *slice_index, piece});
  pending_.back().rows.slice = nullptr;
  ARROW_RETURN_NOT_OK(ChargePiece(&slice, &piece));
  rows->pieces.push_back(std::move(piece));
  return Status::OK();
}

/// Adds what a piece holds to the bytes of the payload. A few rows of a slice are copied where
/// holding all of it would be too much.
Status TableCursor::ChargePiece(ChildSlice* slice, Piece* piece) {
  const int64_t size_bytes = slice->data->size_bytes;
  if (context_->payload_bytes + size_bytes <= context_->max_payload_bytes ||
      piece->length > slice->num_rows / 2) {
    slice->used_epoch = epoch_;
    context_->payload_bytes += size_bytes;
  } else {
    std::shared_ptr<arrow::Array> selection = piece->selection;
    if (selection == nullptr) {
      std::vector<int32_t> stretch(static_cast<size_t>(piece->length));
      std::iota(stretch.begin(), stretch.end(), static_cast<int32_t>(piece->offset));
      selection = std::make_shared<arrow::Int32Array>(
          piece->length, arrow::Buffer::FromVector(std::move(stretch)));
    }
    ARROW_ASSIGN_OR_RAISE(auto copy, CopyRows(*slice->data, *selection));
    context_->payload_bytes += copy->size_bytes;
    context_->copied_bytes += copy->size_bytes;
    context_->budget->Reserve(copy->size_bytes);
    piece->slice = std::move(copy);
    piece->offset = 0;
    piece->selection = nullptr;
    piece->copied_rows = std::move(selection);
  }
  context_->is_payload_too_large = context_->payload_bytes > context_->max_payload_bytes;
  return Status::OK();
}

/// Takes rows that are too large to be read out of a choice; they are counted at once.
void TableCursor::DropRefused(ChildRowGroup* group, size_t slice_index, size_t first_new,
                              Choice* choice, ChildRows* rows) {
  const TableSlice& data = *group->open.slices[slice_index].data;
  std::vector<int32_t>& chosen = choice->rows;
  if (chosen.empty()) {
    chosen.resize(rows->parents.size() - first_new);
    std::iota(chosen.begin(), chosen.end(), static_cast<int32_t>(choice->first));
  }
  std::vector<int32_t> refused;
  size_t num_kept = 0;
  for (size_t i = 0; i < chosen.size(); ++i) {
    if (data.is_refused(chosen[i])) {
      refused.push_back(chosen[i]);
    } else {
      rows->parents[first_new + num_kept] = rows->parents[first_new + i];
      chosen[num_kept++] = chosen[i];
    }
  }
  if (refused.empty()) {
    return;
  }
  chosen.resize(num_kept);
  rows->parents.resize(first_new + num_kept);
  has_failed_ = true;
  if (has_ids_) {
    rows_.lost.Add(group->ids);
  }
  const auto length = static_cast<int64_t>(refused.size());
  Piece lost{.slice = nullptr, .offset = 0, .length = length};
  lost.selection =
      std::make_shared<arrow::Int32Array>(length, arrow::Buffer::FromVector(std::move(refused)));
  counts().AddDropped(DropReason::kUnreadable, group->Mark(slice_index, lost));
}

/// Finds the rows of a slice whose parent is in the map, and appends their new parents.
void TableCursor::Choose(ChildRowGroup* group, size_t slice_index, const IdMap& parents,
                         Choice* choice, ChildRows* rows) {
  ChildSlice& slice = group->open.slices[slice_index];
  const uint32_t* values = group->open.parents.values.data() + slice.first_row;
  if (!slice.is_sorted && slice.order.empty()) {
    group->SortSlice(&slice);
  }
  // Positions run over the rows, or over the order when the rows are not sorted.
  const bool by_order = !slice.is_sorted;
  auto row_at = [&](int64_t position) -> int64_t {
    return by_order ? slice.order[static_cast<size_t>(position)] : position;
  };
  const int64_t num_positions =
      by_order ? static_cast<int64_t>(slice.order.size()) : slice.num_rows;
  auto first_not_below = [&](uint64_t bound) {
    int64_t low = 0;
    int64_t high = num_positions;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (values[row_at(middle)] < bound) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  };
  const int64_t begin = first_not_below(parents.min());
  const int64_t end = first_not_below(uint64_t{parents.max()} + 1);
  choice->first = begin;
  if (begin == end) {
    return;
  }
  std::vector<int32_t>& chosen = choice->rows;
  const size_t first_new = rows->parents.size();
  if (parents.is_dense()) {
    rows->parents.resize(first_new + static_cast<size_t>(end - begin));
    uint32_t* out = rows->parents.data() + first_new;
    const uint32_t base = parents.min();
    if (by_order) {
      chosen.assign(slice.order.begin() + begin, slice.order.begin() + end);
      for (const int32_t row : chosen) {
        *out++ = values[row] - base;
      }
    } else {
      for (int64_t row = begin; row < end; ++row) {
        *out++ = values[row] - base;
      }
    }
    return;
  }
  for (int64_t position = begin; position < end; ++position) {
    const int64_t row = row_at(position);
    const int64_t parent = parents.Find(values[row]);
    if (parent >= 0) {
      chosen.push_back(static_cast<int32_t>(row));
      rows->parents.push_back(static_cast<uint32_t>(parent));
    }
  }
}

/// Decodes a slice. Returns whether it was cut because its rows take more than expected; it is the
/// first part then.
Result<bool> TableCursor::EnsureDecoded(ChildRowGroup* group, size_t* slice_index) {
  ChildRowGroup::Content& open = group->open;
  open.slices[*slice_index].is_released = false;  // it was, if statistics are wrong
  if (open.slices[*slice_index].data != nullptr) {
    return false;
  }
  if (open.stream == nullptr || open.next_slice > *slice_index) {
    context_->report->slices_decoded_again += open.next_slice > 0 ? 1 : 0;
    CloseStream(group);
    if (context_->stream_bytes > context_->max_stream_bytes) {
      context_->close_idle();
    }
    ARROW_ASSIGN_OR_RAISE(open.stream,
                          open.file->OpenRowGroup(group->index, DataLeaves(kind_), context_->limits,
                                                  context_->is_selecting ? &open.needed : nullptr));
    open.next_slice = 0;
  }
  // Where that costs little, slices in front are passed over: they are rarely needed later on.
  if (open.stream->passed().has_index && open.next_slice < *slice_index) {
    const int64_t num_rows =
        open.slices[*slice_index].first_row - open.slices[open.next_slice].first_row;
    ARROW_RETURN_NOT_OK(open.stream->Skip(num_rows));
    open.next_slice = *slice_index;
    context_->report->skipped(SkipCause::kParents).rows += num_rows;
  }
  bool was_cut = false;
  while (open.next_slice <= *slice_index) {
    if (!context_->budget->Fits(context_->slice_bytes)) {
      context_->make_room();
    }
    const size_t at = open.next_slice++;
    ARROW_ASSIGN_OR_RAISE(std::shared_ptr<TableSlice> data,
                          DecodeRows(group, open.slices[at].num_rows));
    const bool is_wanted = at == *slice_index;
    const ChildSlice& slice = open.slices[at];
    const bool is_whole = data->num_rows == slice.num_rows;
    if (slice.data != nullptr || slice.is_released || (!is_whole && IsPending(*group, at)) ||
        (!is_wanted && !context_->budget->Fits(data->size_bytes + context_->slice_bytes))) {
      for (int64_t left = slice.num_rows - data->num_rows; left > 0; left -= data->num_rows) {
        ARROW_ASSIGN_OR_RAISE(data, DecodeRows(group, left));
      }
      continue;
    }
    if (!is_whole) {
      CutSlice(group, at, data->num_rows);
      if (is_wanted) {
        open.slices[at].is_released = false;
        open.slices[at + 1].is_released = false;
        was_cut = true;
      } else {
        ++*slice_index;
      }
    }
    KeepSlice(*group, &open.slices[at], std::move(data));
  }
  return was_cut;
}

Result<std::shared_ptr<TableSlice>> TableCursor::DecodeRows(ChildRowGroup* group,
                                                            int64_t num_rows) {
  ChildRowGroup::Content& open = group->open;
  ARROW_ASSIGN_OR_RAISE(DecodedRows decoded, open.stream->Next(num_rows));
  auto data = std::make_shared<TableSlice>();
  data->num_rows = decoded.num_rows;
  data->leaves = std::move(decoded.leaves);
  data->refused = std::move(decoded.refused);
  data->size_bytes = SliceBytes(data->leaves);
  counts().bytes_decoded += data->size_bytes;
  const int64_t held_bytes = open.stream->held_bytes();
  context_->stream_bytes += held_bytes - std::exchange(open.stream_bytes, held_bytes);
  const int64_t large_bytes = open.stream->large_bytes();
  context_->budget->Reserve(large_bytes - std::exchange(open.large_bytes, large_bytes));
  return data;
}

void TableCursor::KeepSlice(const ChildRowGroup& group, ChildSlice* slice,
                            std::shared_ptr<TableSlice> data) {
  context_->budget->Reserve(data->size_bytes);
  if (!std::exchange(slice->is_reported, true)) {
    ReportSlice(kind_, *data,
                {.partition = context_->partition, .table = "", .file = group.summary->entry.path},
                context_->report);
    for (const RefusedRows& rows : data->refused) {
      context_->report->Add(MakeError(ErrorKind::kParquet, rows.why.message(), LocationOf(group)),
                            rows.num_rows);
    }
  }
  slice->data = std::move(data);
}

/// Cuts a slice behind its first `num_rows` rows.
void TableCursor::CutSlice(ChildRowGroup* group, size_t slice_index, int64_t num_rows) {
  group->CutSlice(slice_index, num_rows);
  for (Pending& pending : pending_) {
    pending.slice += pending.group == group && pending.slice > slice_index ? 1 : 0;
  }
}

bool TableCursor::IsPending(const ChildRowGroup& group, size_t slice_index) const {
  return std::any_of(pending_.begin(), pending_.end(), [&](const Pending& pending) {
    return pending.group == &group && pending.slice == slice_index;
  });
}

void TableCursor::CloseStream(ChildRowGroup* group) {
  context_->stream_bytes -= std::exchange(group->open.stream_bytes, 0);
  context_->budget->Release(std::exchange(group->open.large_bytes, 0));
  if (group->open.stream != nullptr) {
    const PassedRows passed = group->open.stream->passed();
    context_->report->skipped(SkipCause::kParents)
        .Add({.pages = passed.num_pages, .bytes = passed.num_bytes});
  }
  group->open.stream = nullptr;
}

void TableCursor::Evict() {
  for (ChildRowGroup* group : open_groups_) {
    for (ChildSlice& slice : group->open.slices) {
      if (slice.used_epoch != epoch_) {
        Free(&slice);
      }
    }
  }
}

void TableCursor::CloseIdle() {
  for (ChildRowGroup* group : open_groups_) {
    if (group->collected_epoch != epoch_) {
      CloseStream(group);
    }
  }
}

}  // namespace df::lake
