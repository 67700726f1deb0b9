#include "otap/orphans.h"

#include <array>
#include <utility>

#include "otap/rows.h"

namespace df::otap {
namespace {

using TablePtr = std::shared_ptr<arrow::RecordBatch>;
using Tables = std::array<TablePtr, kTableCount>;

/// Keeps the rows whose parent is one of `parents`; null for those is no parent at all.
arrow::Status KeepChildren(const arrow::Array* parents, TablePtr* table, int64_t* dropped) {
  const auto parent_ids = FindArray(*table, "parent_id");
  if (*table == nullptr || parent_ids == nullptr) {
    return arrow::Status::OK();
  }
  const RowSet kept = RowsWithIds(*parent_ids, CollectIds(parents));
  const int64_t orphans = kept.num_rows() - kept.Count();
  if (orphans == 0) {
    return arrow::Status::OK();
  }
  *dropped += orphans;
  return SelectRows(*table, kept).Value(table);
}

}  // namespace

arrow::Result<BatchPtr> DropOrphans(const BatchPtr& batch, int64_t* dropped) {
  Tables tables;
  for (const TableInfo& info : AllTables()) {
    tables[TableIndex(info.kind)] = batch->table(info.kind);
  }
  const int64_t dropped_before = *dropped;
  for (const GroupTable& group : kGroupTables) {
    const auto ids = StoredGroupIds(batch->root(), group.group);
    ARROW_RETURN_NOT_OK(KeepChildren(ids.get(), &tables[TableIndex(group.attributes)], dropped));
  }
  for (const TableInfo& info : AllTables()) {
    if (info.parent.has_value()) {
      const auto ids = FindArray(tables[TableIndex(*info.parent)], "id");
      ARROW_RETURN_NOT_OK(KeepChildren(ids.get(), &tables[TableIndex(info.kind)], dropped));
    }
  }
  if (*dropped == dropped_before) {
    return batch;
  }
  BatchBuilder builder(batch->signal(), batch->id_encoding());
  for (const TableInfo& info : AllTables()) {
    if (tables[TableIndex(info.kind)] != nullptr) {
      ARROW_RETURN_NOT_OK(builder.Set(info.kind, std::move(tables[TableIndex(info.kind)])));
    }
  }
  return builder.Build();
}

}  // namespace df::otap
