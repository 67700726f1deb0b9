#include "lake/format/table_slice.h"

#include <algorithm>
#include <span>

#include <arrow/array/array_primitive.h>
#include <arrow/compute/api.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/byte_size.h>

#include "lake/format/table_file.h"

namespace df::lake {
namespace {

constexpr int64_t kMaxSliceRows = 64 << 10;
constexpr int64_t kItemBytes = 8;  // of a list

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

std::vector<bool> IdLeaves(otap::TableKind kind) {
  std::vector<bool> ids = DataLeaves(kind);
  ids.flip();
  return ids;
}

int64_t SliceRows(const TableFile& file, int row_group, const std::vector<bool>& wanted,
                  int64_t slice_bytes) {
  const int64_t rows = std::max<int64_t>(file.num_rows(row_group), 1);
  int64_t row_bytes = file.uncompressed_bytes(row_group) / rows + 1;
  const std::span<const Leaf> leaves = LeavesOf(file.kind());
  for (size_t leaf = 0; leaf < leaves.size(); ++leaf) {
    if (wanted[leaf] && file.has_leaf(static_cast<int>(leaf))) {
      row_bytes += leaves[leaf].is_list()
                       ? file.num_items(row_group, static_cast<int>(leaf)) / rows * kItemBytes
                       : FixedBytesPerRow(leaves[leaf].column->type);
    }
  }
  return std::clamp<int64_t>(slice_bytes / row_bytes, 1, kMaxSliceRows);
}

bool TableSlice::is_refused(int64_t row) const {
  const auto behind =
      std::upper_bound(refused.begin(), refused.end(), row,
                       [](int64_t value, const RefusedRows& r) { return value < r.first_row; });
  return behind != refused.begin() && row < (behind - 1)->first_row + (behind - 1)->num_rows;
}

int64_t Piece::RowInGroup(int64_t slice_row) const {
  return first_row + (copied_rows == nullptr
                          ? slice_row
                          : static_cast<const arrow::Int32Array&>(*copied_rows).Value(slice_row));
}

Result<std::shared_ptr<TableSlice>> CopyRows(const TableSlice& slice, const arrow::Array& rows) {
  auto copy = std::make_shared<TableSlice>();
  copy->num_rows = rows.length();
  const auto& chosen = static_cast<const arrow::Int32Array&>(rows);
  for (const LeafSlice& leaf : slice.leaves) {
    LeafSlice taken;
    taken.num_rows = rows.length();
    taken.is_present = leaf.is_present;
    taken.is_empty_column = leaf.is_empty_column;
    if (leaf.values != nullptr) {
      ARROW_ASSIGN_OR_RAISE(
          taken.values,
          arrow::compute::Take(*leaf.values, rows, arrow::compute::TakeOptions::NoBoundsCheck()));
    }
    if (leaf.struct_validity != nullptr) {
      ARROW_ASSIGN_OR_RAISE(taken.struct_validity, arrow::AllocateEmptyBitmap(rows.length()));
      for (int64_t i = 0; i < rows.length(); ++i) {
        arrow::bit_util::SetBitTo(
            taken.struct_validity->mutable_data(), i,
            arrow::bit_util::GetBit(leaf.struct_validity->data(), chosen.Value(i)));
      }
    }
    copy->leaves.push_back(std::move(taken));
  }
  copy->size_bytes = SliceBytes(copy->leaves);
  return copy;
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

}  // namespace df::lake
