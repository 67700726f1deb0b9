#include "lake/table_cursor.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <arrow/array/array_primitive.h>
#include <arrow/util/byte_size.h>

#include "base/units.h"

namespace df::lake {
namespace {

constexpr int64_t kMaxSliceRows = 64 << 10;

/// Bytes that one row of a leaf takes in memory apart from text and binary.
int64_t FixedBytesPerRow(otap::ColumnType type) {
  using enum otap::ColumnType;
  switch (type) {
    case kUInt8:
    case kBool:
      return 1;
    case kUInt16:
    case kUtf8:
    case kBinary:
      return 2;
    case kUInt32:
    case kInt32:
      return 4;
    case kFixedBinary16:
      return 16;
    default:
      return 8;
  }
}

}  // namespace

std::vector<bool> DataLeaves(otap::TableKind kind) {
  std::vector<bool> wanted;
  for (const Leaf& leaf : LeavesOf(kind)) {
    wanted.push_back(leaf.parent != nullptr || leaf.column->role == otap::ColumnRole::kData);
  }
  return wanted;
}

int64_t SliceRows(const TableFile& file, int row_group, const std::vector<bool>& wanted,
                  int64_t slice_bytes) {
  const int64_t rows = std::max<int64_t>(file.num_rows(row_group), 1);
  int64_t row_bytes = file.uncompressed_bytes(row_group) / rows + 1;
  const std::span<const Leaf> leaves = LeavesOf(file.kind());
  for (size_t leaf = 0; leaf < leaves.size(); ++leaf) {
    if (wanted[leaf] && file.has_leaf(static_cast<int>(leaf))) {
      row_bytes += FixedBytesPerRow(leaves[leaf].column->type);
    }
  }
  return std::clamp<int64_t>(slice_bytes / row_bytes, 1, kMaxSliceRows);
}

int64_t SliceBytes(const std::vector<LeafSlice>& leaves) {
  int64_t sum = 0;
  for (const LeafSlice& leaf : leaves) {
    if (leaf.values != nullptr) {
      for (const auto& buffer : leaf.values->data()->buffers) {
        sum += buffer == nullptr ? 0 : buffer->size();
      }
      for (const auto& child : leaf.values->data()->child_data) {
        sum += arrow::util::TotalBufferSize(*child);
      }
    }
    sum += leaf.struct_validity == nullptr ? 0 : leaf.struct_validity->size();
  }
  return sum;
}

/// A run of rows of a row group.
struct TableCursor::Slice {
  int64_t first_row = 0;
  int64_t num_rows = 0;
  IdRange parents;  ///< over rows with a parent
  uint32_t min_id = std::numeric_limits<uint32_t>::max();
  int64_t num_parents = 0;  ///< rows with a parent
  int64_t num_taken = 0;
  bool is_sorted = true;
  bool is_released = false;
  uint64_t used_epoch = 0;
  std::shared_ptr<const TableSlice> data;
  std::vector<int32_t> order;  ///< rows with a parent, by parent; only when the slice is not sorted
};

struct TableCursor::RowGroup {
  enum class State { kUnopened, kOpen, kDone };
  FileSummaryPtr summary;
  int index = 0;
  State state = State::kUnopened;
  std::shared_ptr<TableFile> file;
  IdColumn parents;
  IdColumn ids;
  int64_t ids_bytes = 0;
  std::vector<Slice> slices;
  std::unique_ptr<RowGroupStream> stream;
  size_t next_slice = 0;  ///< the one that the stream gives next
  const RowGroupSummary& facts() const { return summary->row_groups[static_cast<size_t>(index)]; }
};

TableCursor::TableCursor(otap::TableKind kind, std::vector<FileSummaryPtr> files,
                         ReadContext* context, bool is_shared)
    : kind_(kind),
      context_(context),
      is_shared_(is_shared),
      has_ids_(otap::GetTable(kind).id_bits != 0) {
  for (const FileSummaryPtr& file : files) {
    for (size_t i = 0; i < file->row_groups.size(); ++i) {
      if (file->row_groups[i].num_rows == 0) {
        continue;
      }
      auto group = std::make_unique<RowGroup>();
      group->summary = file;
      group->index = static_cast<int>(i);
      groups_.push_back(std::move(group));
    }
  }
}

TableCursor::~TableCursor() {
  for (auto& group : groups_) {
    Close(group.get());
  }
}

bool TableCursor::MayHold(const RowGroup& group, const IdMap& parents) const {
  if (group.state == RowGroup::State::kDone) {
    return false;
  }
  const auto& range = group.facts().parent_ids;
  return !range.has_value() || (range->min <= parents.max() && parents.min() <= range->max);
}

Status TableCursor::Open(RowGroup* group) {
  const Location location{.partition = context_->partition,
                          .table = std::string(otap::GetTable(kind_).directory),
                          .file = group->summary->entry.path};
  ARROW_ASSIGN_OR_RAISE(
      group->file,
      TableFile::Open(*context_->file_system, FullPath(context_->base, group->summary->entry.path),
                      kind_, location));
  ++counts().files_opened;
  if (group->file->footer().digest != group->summary->digest ||
      group->index >= group->file->num_row_groups()) {
    return MakeError(ErrorKind::kIo, "the file was rewritten while it was read", location, true);
  }
  ARROW_ASSIGN_OR_RAISE(group->parents,
                        group->file->ReadIds(group->index, LeafIndex(kind_, "parent_id")));
  if (has_ids_) {
    ARROW_ASSIGN_OR_RAISE(group->ids, group->file->ReadIds(group->index, LeafIndex(kind_, "id")));
  }
  group->ids_bytes = static_cast<int64_t>(
      (group->parents.values.size() + group->ids.values.size()) * sizeof(uint32_t));
  context_->budget->Reserve(group->ids_bytes);
  group->state = RowGroup::State::kOpen;
  const int64_t rows = group->file->num_rows(group->index);
  counts().rows_read += rows;
  counts().rows_dropped[static_cast<size_t>(DropReason::kNullParent)] +=
      rows - group->parents.num_valid;
  PlanSlices(group);
  return Status::OK();
}

void TableCursor::PlanSlices(RowGroup* group) {
  const int64_t rows = group->file->num_rows(group->index);
  const int64_t slice_rows =
      SliceRows(*group->file, group->index, DataLeaves(kind_), context_->slice_bytes);
  const uint32_t* parents = group->parents.values.data();
  for (int64_t first = 0; first < rows; first += slice_rows) {
    Slice slice{.first_row = first, .num_rows = std::min(slice_rows, rows - first)};
    const int64_t end = first + slice.num_rows;
    if (group->parents.validity == nullptr) {
      slice.num_parents = slice.num_rows;
      uint32_t low = parents[first];
      uint32_t high = parents[first];
      uint32_t breaks = 0;
      for (int64_t row = first + 1; row < end; ++row) {
        low = std::min(low, parents[row]);
        high = std::max(high, parents[row]);
        breaks += parents[row] < parents[row - 1] ? 1 : 0;
      }
      slice.parents = {low, high};
      slice.is_sorted = breaks == 0;
    } else {
      slice.parents = {std::numeric_limits<uint32_t>::max(), 0};
      for (int64_t row = first; row < end; ++row) {
        if (group->parents.is_valid(row)) {
          ++slice.num_parents;
          slice.parents = {std::min(slice.parents.min, parents[row]),
                           std::max(slice.parents.max, parents[row])};
        }
      }
      slice.is_sorted = false;
    }
    for (int64_t row = first; has_ids_ && row < end; ++row) {
      if (group->ids.is_valid(row)) {
        slice.min_id = std::min(slice.min_id, group->ids.values[static_cast<size_t>(row)]);
      }
    }
    slice.is_released = slice.num_parents == 0;
    group->slices.push_back(std::move(slice));
  }
}

Result<ChildRows> TableCursor::Collect(const IdMap& parents) {
  ChildRows rows;
  ++epoch_;
  if (parents.empty()) {
    return rows;
  }
  for (auto& group : groups_) {
    if (!MayHold(*group, parents)) {
      continue;
    }
    const size_t num_pieces = rows.pieces.size();
    const size_t num_rows = rows.parents.size();
    const Status status = CollectFrom(group.get(), parents, &rows);
    if (!status.ok()) {
      Fail(group.get(), status);
      rows.pieces.resize(num_pieces);
      rows.parents.resize(num_rows);
      rows.ids.resize(has_ids_ ? num_rows : 0);
      rows.id_is_valid.resize(has_ids_ ? num_rows : 0);
    }
  }
  counts().rows_emitted += rows.num_rows();
  return rows;
}

Status TableCursor::CollectFrom(RowGroup* group, const IdMap& parents, ChildRows* rows) {
  if (group->state == RowGroup::State::kUnopened) {
    ARROW_RETURN_NOT_OK(Open(group));
  }
  for (size_t i = 0; i < group->slices.size(); ++i) {
    const Slice& slice = group->slices[i];
    if (!slice.is_released && slice.parents.min <= parents.max() &&
        parents.min() <= slice.parents.max) {
      ARROW_RETURN_NOT_OK(Select(group, i, parents, rows));
    }
  }
  return Status::OK();
}

namespace {

/// Sorts rows by parent, rows of one parent in their order: a counting sort where the range allows.
std::vector<int32_t> OrderByParent(const IdColumn& parents, int64_t first, int64_t num_rows,
                                   IdRange range) {
  std::vector<int32_t> order;
  const uint32_t* values = parents.values.data() + first;
  const int64_t width = int64_t{range.max} - range.min + 1;
  if (width <= 4 * num_rows + 65'536) {
    std::vector<int32_t> starts(static_cast<size_t>(width) + 1, 0);
    for (int64_t row = 0; row < num_rows; ++row) {
      if (parents.is_valid(first + row)) {
        ++starts[values[row] - range.min + 1];
      }
    }
    std::partial_sum(starts.begin(), starts.end(), starts.begin());
    order.resize(static_cast<size_t>(starts.back()));
    for (int64_t row = 0; row < num_rows; ++row) {
      if (parents.is_valid(first + row)) {
        order[static_cast<size_t>(starts[values[row] - range.min]++)] = static_cast<int32_t>(row);
      }
    }
    return order;
  }
  for (int64_t row = 0; row < num_rows; ++row) {
    if (parents.is_valid(first + row)) {
      order.push_back(static_cast<int32_t>(row));
    }
  }
  std::stable_sort(order.begin(), order.end(),
                   [values](int32_t a, int32_t b) { return values[a] < values[b]; });
  return order;
}

/// Appends the own ids of the rows taken: a stretch from `first` on, or the chosen rows when
/// `first` is -1.
void AppendIds(const IdColumn& ids, int64_t slice_row, int64_t first,
               const std::vector<int32_t>& chosen, int64_t count, ChildRows* rows) {
  const size_t begin = rows->ids.size();
  rows->ids.resize(begin + static_cast<size_t>(count));
  rows->id_is_valid.resize(begin + static_cast<size_t>(count), 1);
  const uint32_t* values = ids.values.data() + slice_row;
  if (first >= 0) {
    std::copy_n(values + first, count, rows->ids.data() + begin);
  }
  for (int64_t i = 0; first < 0 && i < count; ++i) {
    rows->ids[begin + static_cast<size_t>(i)] = values[chosen[static_cast<size_t>(i)]];
  }
  for (int64_t i = 0; ids.validity != nullptr && i < count; ++i) {
    const int64_t row = slice_row + (first >= 0 ? first + i : chosen[static_cast<size_t>(i)]);
    rows->id_is_valid[begin + static_cast<size_t>(i)] = ids.is_valid(row) ? 1 : 0;
  }
}

}  // namespace

Status TableCursor::Select(RowGroup* group, size_t slice_index, const IdMap& parents,
                           ChildRows* rows) {
  Slice& slice = group->slices[slice_index];
  const uint32_t* values = group->parents.values.data() + slice.first_row;
  if (!slice.is_sorted && slice.order.empty()) {
    slice.order = OrderByParent(group->parents, slice.first_row, slice.num_rows, slice.parents);
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
  if (begin == end) {
    return Status::OK();
  }

  std::vector<int32_t> chosen;
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
  } else {
    for (int64_t position = begin; position < end; ++position) {
      const int64_t row = row_at(position);
      const int64_t parent = parents.Find(values[row]);
      if (parent >= 0) {
        chosen.push_back(static_cast<int32_t>(row));
        rows->parents.push_back(static_cast<uint32_t>(parent));
      }
    }
  }
  const int64_t taken = static_cast<int64_t>(rows->parents.size() - first_new);
  if (taken == 0) {
    return Status::OK();
  }
  ARROW_RETURN_NOT_OK(EnsureDecoded(group, slice_index));
  slice.used_epoch = epoch_;
  slice.num_taken += taken;

  Piece piece{.slice = slice.data, .offset = begin, .length = taken};
  const bool is_stretch = chosen.empty() || (chosen.back() - chosen.front() + 1 == taken &&
                                             std::is_sorted(chosen.begin(), chosen.end()));
  if (is_stretch) {
    piece.offset = chosen.empty() ? begin : chosen.front();
  } else {
    piece.selection = std::make_shared<arrow::Int32Array>(taken, arrow::Buffer::FromVector(chosen));
  }
  if (has_ids_) {
    AppendIds(group->ids, slice.first_row, chosen.empty() ? begin : -1, chosen, taken, rows);
  }
  rows->pieces.push_back(std::move(piece));
  if (!is_shared_ && slice.num_taken >= slice.num_parents) {
    Free(&slice);
    slice.is_released = true;
  }
  return Status::OK();
}

Status TableCursor::EnsureDecoded(RowGroup* group, size_t slice_index) {
  if (group->slices[slice_index].data != nullptr) {
    return Status::OK();
  }
  if (group->stream == nullptr || group->next_slice > slice_index) {
    if (group->stream != nullptr) {
      ++context_->report->slices_decoded_again;
    }
    ARROW_ASSIGN_OR_RAISE(group->stream,
                          group->file->OpenRowGroup(group->index, DataLeaves(kind_)));
    group->next_slice = 0;
  }
  while (group->next_slice <= slice_index) {
    Slice& slice = group->slices[group->next_slice];
    if (!context_->budget->Fits(context_->slice_bytes)) {
      context_->make_room();
    }
    auto data = std::make_shared<TableSlice>();
    data->num_rows = slice.num_rows;
    ARROW_ASSIGN_OR_RAISE(data->leaves, group->stream->Next(slice.num_rows));
    const bool is_wanted = group->next_slice == slice_index;
    ++group->next_slice;
    data->size_bytes = SliceBytes(data->leaves);
    counts().bytes_decoded += data->size_bytes;
    if (slice.data != nullptr || slice.is_released ||
        (!is_wanted && !context_->budget->Fits(data->size_bytes + context_->slice_bytes))) {
      continue;
    }
    context_->budget->Reserve(data->size_bytes);
    slice.data = std::move(data);
  }
  return Status::OK();
}

void TableCursor::Free(Slice* slice) {
  if (slice->data != nullptr) {
    context_->budget->Release(slice->data->size_bytes);
    slice->data = nullptr;
  }
}

void TableCursor::Evict() {
  for (auto& group : groups_) {
    for (Slice& slice : group->slices) {
      if (slice.used_epoch != epoch_) {
        Free(&slice);
      }
    }
  }
}

void TableCursor::Close(RowGroup* group) {
  int64_t orphans = 0;
  for (Slice& slice : group->slices) {
    Free(&slice);
    orphans += std::max<int64_t>(slice.num_parents - slice.num_taken, 0);
  }
  if (group->state == RowGroup::State::kOpen) {
    context_->budget->Release(group->ids_bytes);
    if (is_shared_ || context_->is_partial) {
      counts().rows_read -=
          is_shared_ ? 0 : orphans;  // they are read again, and counted, with their parents
    } else {
      counts().rows_dropped[static_cast<size_t>(DropReason::kOrphan)] += orphans;
    }
  }
  *group =
      RowGroup{.summary = group->summary, .index = group->index, .state = RowGroup::State::kDone};
}

void TableCursor::Fail(RowGroup* group, const Status& error) {
  context_->report->Add(error);
  ++context_->report->files_failed;
  int64_t lost = group->facts().num_rows;
  if (group->state == RowGroup::State::kOpen) {
    lost = 0;
    for (Slice& slice : group->slices) {
      lost += std::max<int64_t>(slice.num_parents - slice.num_taken, 0);
      slice.num_taken = slice.num_parents;
    }
  } else {
    counts().rows_read += lost;
  }
  counts().rows_dropped[static_cast<size_t>(DropReason::kUnreadable)] += lost;
  Close(group);
}

void TableCursor::ReleaseBefore(uint32_t min_unread_parent) {
  for (auto& group : groups_) {
    if (group->state == RowGroup::State::kUnopened) {
      continue;
    }
    bool is_alive = false;
    for (Slice& slice : group->slices) {
      if (!slice.is_released && slice.parents.max < min_unread_parent) {
        Free(&slice);
        slice.is_released = true;
      }
      is_alive = is_alive || !slice.is_released;
    }
    if (!is_alive && group->state == RowGroup::State::kOpen) {
      Close(group.get());
    }
  }
}

uint32_t TableCursor::MinUnreadId() const {
  uint32_t low = std::numeric_limits<uint32_t>::max();
  for (const auto& group : groups_) {
    if (group->state == RowGroup::State::kUnopened) {
      low = std::min(low, group->facts().ids.has_value() ? group->facts().ids->min : 0);
    }
    for (const Slice& slice : group->slices) {
      if (!slice.is_released) {
        low = std::min(low, slice.min_id);
      }
    }
  }
  return low;
}

void TableCursor::Finish(const std::vector<IdRange>& main_ranges) {
  for (auto& group : groups_) {
    if (group->state == RowGroup::State::kUnopened && !is_shared_ && !context_->is_partial) {
      // Never needed: every row in it points outside the main rows by its statistics.
      const auto& range = group->facts().parent_ids;
      const bool points_inside =
          !range.has_value() ||
          std::any_of(main_ranges.begin(), main_ranges.end(), [&](const IdRange& main) {
            return range->min <= main.max && main.min <= range->max;
          });
      if (points_inside) {
        counts().rows_read += group->facts().num_rows;
        counts().rows_dropped[static_cast<size_t>(DropReason::kOrphan)] += group->facts().num_rows;
      }
    }
    Close(group.get());
  }
}

}  // namespace df::lake
