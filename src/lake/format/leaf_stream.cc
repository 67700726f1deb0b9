#include "lake/format/leaf_stream.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "lake/format/companion_time.h"
#include "lake/format/far_pages.h"
#include "lake/format/leaf.h"
#include "lake/format/table_slice.h"

namespace df::lake {
namespace {

/// Pages and dictionaries of most writers have at most half as much each.
constexpr int64_t kUsualBytes = 2 << 20;

/// Rows that are passed over at once: little memory, where their pages have to be read.
constexpr int64_t kSkippedRows = 16 << 10;

bool IsBytes(const Leaf& leaf) {
  return leaf.column->type == otap::ColumnType::kUtf8 ||
         leaf.column->type == otap::ColumnType::kBinary;
}

/// Joins what single leaves refuse; a row is refused for the first reason found.
std::vector<RefusedRows> JoinRefused(const std::vector<LeafSlice>& leaves) {
  std::vector<RefusedRows> all;
  for (const LeafSlice& leaf : leaves) {
    all.insert(all.end(), leaf.refused.begin(), leaf.refused.end());
  }
  std::stable_sort(all.begin(), all.end(), [](const RefusedRows& a, const RefusedRows& b) {
    return a.first_row < b.first_row;
  });
  std::vector<RefusedRows> joined;
  int64_t end = 0;
  for (RefusedRows& rows : all) {
    const int64_t first = std::max(rows.first_row, end);
    const int64_t last = rows.first_row + rows.num_rows;
    if (first < last) {
      joined.push_back({first, last - first, std::move(rows.why)});
      end = last;
    }
  }
  return joined;
}

}  // namespace

Result<DecodedRows> LeafStream::Next(int64_t num_rows) {
  DecodedRows rows;
  ARROW_RETURN_NOT_OK(DecodeFlat(num_rows, &rows));
  ARROW_RETURN_NOT_OK(TakeNanos(&rows.leaves));
  if (parts_.lists != nullptr) {
    ARROW_RETURN_NOT_OK(parts_.lists->Next(rows.num_rows, &rows.leaves));
  }
  ARROW_RETURN_NOT_OK(parts_.exemplar_values.Apply(&rows.leaves));
  rows.refused = JoinRefused(rows.leaves);
  next_row_ += rows.num_rows;
  return rows;
}

Status LeafStream::Skip(int64_t num_rows) {
  const int64_t end = next_row_ + num_rows;
  parts_.passed->before = std::max(parts_.passed->before, end);
  while (next_row_ < end) {
    DecodedRows rows;  // not compared with each other: of some columns their pages are not read
    ARROW_RETURN_NOT_OK(DecodeFlat(std::min(end - next_row_, kSkippedRows), &rows));
    for (Companion& companion : parts_.companions) {
      ARROW_RETURN_NOT_OK(companion.decoder->Next(rows.num_rows).status());
    }
    if (parts_.lists != nullptr) {
      ARROW_RETURN_NOT_OK(parts_.lists->Next(rows.num_rows, &rows.leaves));
    }
    next_row_ += rows.num_rows;
  }
  return Status::OK();
}

Result<bool> LeafStream::Need(const RowStretches& rows) {
  return parts_.passed->far == nullptr ? true : parts_.passed->far->Fetch(rows);
}

/// Values of any length first: they say how many rows the slice has.
Status LeafStream::DecodeFlat(int64_t num_rows, DecodedRows* rows) {
  const std::span<const Leaf> leaves = LeavesOf(parts_.kind);
  rows->leaves.resize(leaves.size());
  for (const int leaf : parts_.empty_leaves) {
    rows->leaves[static_cast<size_t>(leaf)].is_empty_column = true;
  }
  for (const LeafSlice& waiting : waiting_) {
    num_rows = waiting.num_rows > 0 ? std::min(num_rows, waiting.num_rows) : num_rows;
  }
  for (const bool is_bytes : {true, false}) {
    for (size_t leaf = 0; leaf < leaves.size(); ++leaf) {
      if (parts_.decoders[leaf] == nullptr || IsBytes(leaves[leaf]) != is_bytes) {
        continue;
      }
      LeafSlice& slice = rows->leaves[leaf];
      if (waiting_[leaf].num_rows > 0) {
        slice = std::exchange(waiting_[leaf], {});
        continue;
      }
      ARROW_ASSIGN_OR_RAISE(slice,
                            parts_.decoders[leaf]->Next(num_rows, parts_.limits.slice_bytes));
      num_rows = slice.num_rows;
    }
  }
  for (size_t leaf = 0; leaf < leaves.size(); ++leaf) {
    LeafSlice& slice = rows->leaves[leaf];
    if (parts_.decoders[leaf] != nullptr && slice.num_rows > num_rows) {
      ARROW_ASSIGN_OR_RAISE(waiting_[leaf], CutSlice(slice, num_rows, slice.num_rows - num_rows));
      ARROW_ASSIGN_OR_RAISE(slice, CutSlice(slice, 0, num_rows));
    }
  }
  rows->num_rows = num_rows;
  return Status::OK();
}

Status LeafStream::TakeNanos(std::vector<LeafSlice>* slices) {
  for (Companion& companion : parts_.companions) {
    LeafSlice& slice = (*slices)[companion.leaf];
    ARROW_ASSIGN_OR_RAISE(LeafSlice nanos, companion.decoder->Next(slice.num_rows));
    slice.refused.insert(slice.refused.end(), nanos.refused.begin(), nanos.refused.end());
    auto taken = TakeCompanion(slice.values, nanos.values, companion.nanos_per_unit);
    if (!taken.ok()) {
      return MakeError(ErrorKind::kArrow,
                       fmt::format("column {}: {}", LeavesOf(parts_.kind)[companion.leaf].path(),
                                   taken.status().message()),
                       parts_.location);
    }
    slice.values = std::move(*taken);
  }
  return Status::OK();
}

int64_t LeafStream::held_bytes() const {
  int64_t sum = parts_.buffer_bytes + SliceBytes(waiting_);
  for (const auto& decoder : parts_.decoders) {
    sum += decoder == nullptr ? 0 : decoder->held_bytes();
  }
  for (const Companion& companion : parts_.companions) {
    sum += companion.decoder->held_bytes();
  }
  return sum;
}

int64_t LeafStream::large_bytes() const {
  int64_t sum = SliceBytes(waiting_);
  for (const auto& decoder : parts_.decoders) {
    sum += decoder == nullptr ? 0 : std::max<int64_t>(decoder->held_bytes() - kUsualBytes, 0);
  }
  return sum;
}

}  // namespace df::lake
