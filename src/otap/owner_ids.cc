#include "otap/owner_ids.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "otap/attribute_rows.h"
#include "otap/id_remap.h"
#include "otap/rows.h"

namespace df::otap {
namespace {

using ArrayPtr = std::shared_ptr<arrow::Array>;
using TablePtr = std::shared_ptr<arrow::RecordBatch>;

/// Hands out ids that are not in use, the smallest first.
class FreeIds {
 public:
  FreeIds(IdSet used, int bits) : used_(std::move(used)), limit_(uint64_t{1} << bits) {}

  Result<uint32_t> Next() {
    while (next_ < limit_ && used_.Contains(static_cast<uint32_t>(next_))) {
      ++next_;
    }
    if (next_ == limit_) {
      return Status::Invalid(fmt::format("all {} ids are in use, expected a free one", limit_));
    }
    return static_cast<uint32_t>(next_++);
  }

 private:
  IdSet used_;
  uint64_t limit_;
  uint64_t next_ = 0;
};

std::vector<std::optional<uint32_t>> IdOfRows(const ArrayPtr& ids, int64_t num_rows) {
  std::vector<std::optional<uint32_t>> of_row(static_cast<size_t>(num_rows));
  if (ids != nullptr) {
    VisitIds(*ids, [&](int64_t row, uint32_t id) { of_row[static_cast<size_t>(row)] = id; });
  }
  return of_row;
}

std::vector<uint32_t> Distinct(std::vector<uint32_t> ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

Result<std::vector<uint32_t>> GiveRowsIds(TableKind parent, OpenBatch* tables) {
  TablePtr& table = tables->table(parent);
  if (table == nullptr) {
    return std::vector<uint32_t>();
  }
  const int bits = GetTable(parent).id_bits;
  const ArrayPtr ids = FindArray(table, "id");
  FreeIds free_ids(CollectIds(ids.get()), bits);
  std::vector<uint32_t> all;
  bool is_changed = false;
  for (const std::optional<uint32_t> id : IdOfRows(ids, table->num_rows())) {
    is_changed = is_changed || !id.has_value();
    if (id.has_value()) {
      all.push_back(*id);
    } else {
      ARROW_ASSIGN_OR_RAISE(all.emplace_back(), free_ids.Next());
    }
  }
  if (is_changed) {
    ARROW_ASSIGN_OR_RAISE(ArrayPtr given, MakeIds(all, bits));
    ARROW_ASSIGN_OR_RAISE(table, WithColumn(parent, table, "id", std::move(given)));
  }
  return all;
}

Result<std::vector<uint32_t>> GiveGroupsIds(TableKind attributes, std::string_view group,
                                            OpenBatch* tables) {
  const TableKind root = RootTable(tables->signal());
  TablePtr& table = tables->table(root);
  if (table == nullptr) {
    return std::vector<uint32_t>();
  }
  const int bits = GetTable(attributes).parent_id_bits;
  const ArrayPtr ids = GroupIds(table, group);
  FreeIds free_ids(CollectIds(ids.get()), bits);
  std::vector<uint32_t> all;
  std::optional<uint32_t> common;
  for (const std::optional<uint32_t> id : IdOfRows(ids, table->num_rows())) {
    if (id.has_value()) {
      all.push_back(*id);
      continue;
    }
    if (!common.has_value()) {
      ARROW_ASSIGN_OR_RAISE(common, free_ids.Next());
    }
    all.push_back(*common);
  }
  if (common.has_value()) {
    // Attributes that hung on the id of a row without group would come to light with the new ids.
    if (TablePtr& owned = tables->table(attributes); owned != nullptr) {
      const RowSet live = RowsWithIds(*FindArray(owned, "parent_id"), CollectIds(ids.get()));
      ARROW_ASSIGN_OR_RAISE(owned, SelectRows(owned, live));
    }
    ARROW_ASSIGN_OR_RAISE(ArrayPtr given, MakeIds(all, bits));
    ARROW_ASSIGN_OR_RAISE(table, WithGroupIds(root, table, group, std::move(given), true));
  }
  return Distinct(std::move(all));
}

}  // namespace

arrow::Result<std::vector<uint32_t>> GiveOwnersIds(TableKind attributes, OpenBatch* tables) {
  if (const auto parent = GetTable(attributes).parent) {
    return GiveRowsIds(*parent, tables);
  }
  for (const GroupTable& group : kGroupTables) {
    if (group.attributes == attributes) {
      return GiveGroupsIds(attributes, group.group, tables);
    }
  }
  return Status::Invalid(
      fmt::format("table {} holds no attributes", GetTable(attributes).directory));
}

}  // namespace df::otap
