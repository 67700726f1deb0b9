#include "lake/scan/child_row_group.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include <arrow/array/array_primitive.h>
#include <arrow/util/bitmap_ops.h>

namespace df::lake {
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

}  // namespace

IdRange RangeOf(const IdColumn& ids, int64_t first_row, int64_t num_rows) {
  IdRange range = kEmptyIdRange;
  if (ids.validity == nullptr) {
    uint32_t low = range.min;
    uint32_t high = range.max;
    for (const uint32_t id :
         std::span(ids.values)
             .subspan(static_cast<size_t>(first_row), static_cast<size_t>(num_rows))) {
      low = std::min(low, id);
      high = std::max(high, id);
    }
    return {low, high};
  }
  for (int64_t row = first_row; row < first_row + num_rows; ++row) {
    if (ids.is_valid(row)) {
      Extend(&range, ids.values[static_cast<size_t>(row)]);
    }
  }
  return range;
}

void ChildRowGroup::Take(Content content, int64_t slice_rows) {
  open = std::move(content);
  state = State::kOpen;
  is_read = true;
  num_parents = open.parents.num_valid;
  if (done.empty()) {
    done.assign((open.parents.values.size() + 7) / 8, 0);
  }
  open.ids_bytes = static_cast<int64_t>(
      (open.parents.values.size() + open.ids.values.size() + open.repeated_ids.ids().size()) *
          sizeof(uint32_t) +
      done.size());
  PlanSlices(slice_rows);
}

void ChildRowGroup::PlanSlices(int64_t slice_rows) {
  const auto rows = static_cast<int64_t>(open.parents.values.size());
  for (int64_t first = 0; first < rows; first += slice_rows) {
    ChildSlice slice = PlanSlice(first, std::min(slice_rows, rows - first));
    if (!open.ids.values.empty()) {
      Extend(&ids, RangeOf(open.ids, first, slice.num_rows));
    }
    Extend(&parents, slice.parents);
    open.slices.push_back(std::move(slice));
  }
}

ChildSlice ChildRowGroup::PlanSlice(int64_t first, int64_t num_rows) const {
  const uint32_t* values = open.parents.values.data();
  ChildSlice slice{.first_row = first, .num_rows = num_rows};
  const int64_t end = first + num_rows;
  if (open.parents.validity == nullptr) {
    slice.num_parents = num_rows;
    uint32_t low = values[first];
    uint32_t high = values[first];
    uint32_t breaks = 0;
    for (int64_t row = first + 1; row < end; ++row) {
      low = std::min(low, values[row]);
      high = std::max(high, values[row]);
      breaks += values[row] < values[row - 1] ? 1 : 0;
    }
    slice.parents = {low, high};
    slice.is_sorted = breaks == 0;
  } else {
    slice.parents = {std::numeric_limits<uint32_t>::max(), 0};
    for (int64_t row = first; row < end; ++row) {
      if (open.parents.is_valid(row)) {
        ++slice.num_parents;
        slice.parents = {std::min(slice.parents.min, values[row]),
                         std::max(slice.parents.max, values[row])};
      }
    }
    slice.is_sorted = false;
  }
  if (!open.ids.values.empty()) {
    slice.min_id = RangeOf(open.ids, first, num_rows).min;
  }
  slice.num_done = num_done == 0 ? 0 : arrow::internal::CountSetBits(done.data(), first, num_rows);
  slice.is_released = slice.num_done == slice.num_parents;
  return slice;
}

void ChildRowGroup::CutSlice(size_t slice_index, int64_t num_rows) {
  const ChildSlice& whole = open.slices[slice_index];
  ChildSlice rest = PlanSlice(whole.first_row + num_rows, whole.num_rows - num_rows);
  ChildSlice first = PlanSlice(whole.first_row, num_rows);
  first.is_released = first.is_released || whole.is_released;
  rest.is_released = rest.is_released || whole.is_released;
  open.slices[slice_index] = std::move(first);
  open.slices.insert(open.slices.begin() + static_cast<int64_t>(slice_index) + 1, std::move(rest));
}

void ChildRowGroup::SortSlice(ChildSlice* slice) const {
  slice->order = OrderByParent(open.parents, slice->first_row, slice->num_rows, slice->parents);
}

int64_t ChildRowGroup::Mark(size_t slice_index, const Piece& rows) {
  ChildSlice& slice = open.slices[slice_index];
  uint8_t* bits = done.data();
  int64_t num_new = 0;
  if (rows.selection == nullptr) {
    const int64_t first = slice.first_row + rows.offset;
    num_new = rows.length - arrow::internal::CountSetBits(bits, first, rows.length);
    arrow::bit_util::SetBitsTo(bits, first, rows.length, true);
  } else {
    const int32_t* chosen = static_cast<const arrow::Int32Array&>(*rows.selection).raw_values();
    for (int64_t i = 0; i < rows.length; ++i) {
      const int64_t row = slice.first_row + chosen[i];
      num_new += arrow::bit_util::GetBit(bits, row) ? 0 : 1;
      arrow::bit_util::SetBit(bits, row);
    }
  }
  slice.num_done += num_new;
  num_done += num_new;
  return num_new;
}

void ChildRowGroup::ListLeft() {
  left = {};
  left_ids = kEmptyIdRange;
  const auto rows = static_cast<int64_t>(open.parents.values.size());
  if (num_done == rows) {
    return;
  }
  const bool has_ids = !open.ids.values.empty();
  for (int64_t row = 0; row < rows; ++row) {
    if (arrow::bit_util::GetBit(done.data(), row)) {
      continue;
    }
    if (open.parents.is_valid(row)) {
      left.Add(open.parents.values[static_cast<size_t>(row)]);
    }
    if (has_ids && open.ids.is_valid(row)) {
      Extend(&left_ids, open.ids.values[static_cast<size_t>(row)]);
    }
  }
}

}  // namespace df::lake
