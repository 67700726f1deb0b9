#include "lake/table_slice.h"

#include <algorithm>
#include <span>

#include <arrow/util/byte_size.h>

#include "lake/table_file.h"

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

}  // namespace df::lake
