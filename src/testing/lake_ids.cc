#include "testing/lake_ids.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "otap/schema.h"

namespace df::testing {
namespace {

using otap::TableInfo;
using otap::TableKind;

CellColumn* NestedId(CellTable& root, std::string_view group) {
  CellColumn* column = FindCells(root.columns, group);
  return column == nullptr ? nullptr : FindCells(column->children, "id");
}

}  // namespace

/// Spreads ids out by step and gaps, counting from zero.
LakeIds::IdMap LakeIds::Spread(const std::vector<Cell>& ids) {
  IdMap map;
  for (const Cell& id : ids) {
    if (!IsNull(id)) {
      map[std::get<uint64_t>(id)] = 0;
    }
  }
  uint64_t old_before = 0;
  uint64_t position = 0;
  for (auto& [old_id, new_id] : map) {
    position += (old_id - old_before) * options_.id_step;
    // The first id of a batch equals its offset, on which the readers of upstream files build.
    const bool has_gap = old_id != map.begin()->first && Chance(rng_, options_.id_gaps);
    position += has_gap ? static_cast<uint64_t>(Between(rng_, 1, 50)) : 0;
    old_before = old_id;
    new_id = position;
  }
  if (options_.descending_ids) {
    for (auto& [old_id, new_id] : map) {
      new_id = position - new_id;
    }
  }
  return map;
}

arrow::Status LakeIds::Shift(otap::Signal signal, CellTables& tables) {
  uint64_t largest = 0;
  const auto apply = [&](CellColumn* column, const IdMap& map, uint64_t offset) {
    for (Cell& cell : column->cells) {
      if (!IsNull(cell)) {
        const auto found = map.find(std::get<uint64_t>(cell));
        cell = offset + (found == map.end() ? std::get<uint64_t>(cell) : found->second);
      }
    }
  };
  const auto measure = [&](const IdMap& map) {
    for (const auto& [old_id, new_id] : map) {
      largest = std::max(largest, new_id);
    }
  };
  for (auto& [kind, table] : tables) {
    CellColumn* ids = FindCells(table.columns, "id");
    if (ids == nullptr) {
      continue;
    }
    const IdMap map = Spread(ids->cells);
    measure(map);
    apply(ids, map, next_);
    for (auto& [child_kind, child] : tables) {
      if (otap::GetTable(child_kind).parent == kind) {
        apply(FindCells(child.columns, "parent_id"), map, next_);
      }
    }
  }
  const bool is_own = options_.layout == LakeLayout::kOwn;
  const auto root = tables.find(otap::RootTable(signal));
  for (const TableKind kind : {TableKind::kResourceAttrs, TableKind::kScopeAttrs}) {
    CellColumn* nested =
        root == tables.end()
            ? nullptr
            : NestedId(root->second, kind == TableKind::kScopeAttrs ? "scope" : "resource");
    // Upstream moves the attribute side only, which is the defect that readers must mend.
    const IdMap map = is_own && nested != nullptr ? Spread(nested->cells) : IdMap();
    measure(map);
    if (is_own && nested != nullptr) {
      apply(nested, map, next_);
    }
    if (const auto attributes = tables.find(kind); attributes != tables.end()) {
      apply(FindCells(attributes->second.columns, "parent_id"), map, next_);
    }
  }
  if (options_.id_step > 1 && options_.id_gaps == 0 && largest >= options_.id_step) {
    hole_ = next_ + 1;
  }
  next_ += largest + 1;
  if (next_ - 1 > std::numeric_limits<uint32_t>::max()) {
    return arrow::Status::Invalid(fmt::format("id {} passes UInt32", next_ - 1));
  }
  return arrow::Status::OK();
}

uint64_t LakeIds::Unused(TableKind child, int i) const {
  // Upstream's resource and scope ids are not spread, so they may stand in the hole.
  const bool may_use_hole = hole_.has_value() && otap::GetTable(child).parent.has_value();
  return i % 2 == 1 && may_use_hole ? *hole_ : next_ + 1'000 + static_cast<uint64_t>(i);
}

int64_t RepeatRootIds(CellTable& root, int count, RandomEngine& rng) {
  CellColumn* ids = FindCells(root.columns, "id");
  std::vector<size_t> numbered;
  for (size_t row = 0; ids != nullptr && row < ids->cells.size(); ++row) {
    if (!IsNull(ids->cells[row])) {
      numbered.push_back(row);
    }
  }
  int64_t repeated = 0;
  for (size_t i = 1; i < numbered.size() && repeated < count; i += 2) {
    const size_t earlier = static_cast<size_t>(Between(rng, 0, static_cast<int64_t>(i) - 1));
    ids->cells[numbered[i]] = ids->cells[numbered[earlier & ~size_t{1}]];
    ++repeated;
  }
  return repeated;
}

void InsertOrphan(CellTable& table, uint64_t unused, RandomEngine& rng) {
  const int64_t place = Between(rng, 0, table.num_rows);
  std::vector<int64_t> order;
  for (int64_t row = 0; row < table.num_rows; ++row) {
    order.push_back(row);
  }
  order.insert(order.begin() + place, Between(rng, 0, table.num_rows - 1));
  table = TakeRows(table, order);
  const size_t orphan = static_cast<size_t>(place);
  FindCells(table.columns, "parent_id")->cells[orphan] = unused;
  // The copy has no children of its own.
  if (CellColumn* ids = FindCells(table.columns, "id")) {
    ids->cells[orphan] = Cell();
  }
}

}  // namespace df::testing
