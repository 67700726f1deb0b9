#include "lake/format/leaf.h"

#include <array>
#include <vector>

namespace df::lake {
namespace {

std::array<std::vector<Leaf>, otap::kTableCount> MakeLeaves() {
  std::array<std::vector<Leaf>, otap::kTableCount> all;
  for (const otap::TableInfo& table : otap::AllTables()) {
    std::vector<Leaf>& leaves = all[otap::TableIndex(table.kind)];
    for (size_t i = 0; i < table.columns.size(); ++i) {
      const otap::Column& column = table.columns[i];
      if (column.type != otap::ColumnType::kStruct) {
        leaves.push_back({&column, nullptr, i});
        continue;
      }
      for (const otap::Column& child : column.children) {
        leaves.push_back({&child, &column, i});
      }
    }
  }
  return all;
}

}  // namespace

std::span<const Leaf> LeavesOf(otap::TableKind kind) {
  static const auto kLeaves = MakeLeaves();
  return kLeaves[otap::TableIndex(kind)];
}

int LeafIndex(otap::TableKind kind, std::string_view column, std::string_view child) {
  const std::span<const Leaf> leaves = LeavesOf(kind);
  for (size_t i = 0; i < leaves.size(); ++i) {
    const bool matches = child.empty()
                             ? leaves[i].parent == nullptr && leaves[i].column->name == column
                             : leaves[i].parent != nullptr && leaves[i].parent->name == column &&
                                   leaves[i].column->name == child;
    if (matches) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

}  // namespace df::lake
