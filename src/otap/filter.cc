#include "otap/filter.h"

#include <utility>

#include "base/error.h"

namespace df::otap {
namespace {

/// The rows to keep of every table; nothing stands for all.
using RowsByTable = std::array<std::optional<RowSet>, kTableCount>;

bool IsPoints(const TableInfo& info) {
  return info.parent == TableKind::kUnivariateMetrics && !info.is_attributes;
}

class Cascade {
 public:
  Cascade(const Batch& batch, const Selection& selection) : batch_(batch) {
    for (const TableInfo& info : AllTables()) {
      rows_[TableIndex(info.kind)] = selection.Find(info.kind);
    }
  }

  /// Takes from every table the rows whose parent goes, parents first.
  void NarrowChildren() {
    for (const TableInfo& info : AllTables()) {
      const auto& table = batch_.table(info.kind);
      if (!info.parent.has_value() || table == nullptr || !Kept(*info.parent).has_value()) {
        continue;
      }
      const auto ids = FindArray(batch_.table(*info.parent), "id");
      Narrow(info.kind, RowsWithIds(*FindArray(table, "parent_id"),
                                    CollectIds(ids.get(), *Kept(*info.parent))));
    }
  }

  /// Takes from the root the metrics that had data points and have none now.
  void DropEmptiedMetrics() {
    const auto& root = batch_.root();
    const auto ids = FindArray(root, "id");
    if (ids == nullptr) {
      return;
    }
    RowSet had_points(root->num_rows());
    RowSet has_points(root->num_rows());
    for (const TableInfo& info : AllTables()) {
      const auto parents = FindArray(batch_.table(info.kind), "parent_id");
      if (!IsPoints(info) || parents == nullptr) {
        continue;
      }
      had_points.Unite(RowsWithIds(*ids, CollectIds(parents.get())));
      const auto& kept = Kept(info.kind);
      has_points.Unite(RowsWithIds(
          *ids, kept.has_value() ? CollectIds(parents.get(), *kept) : CollectIds(parents.get())));
    }
    had_points.Invert();
    has_points.Unite(had_points);
    Narrow(RootTable(batch_.signal()), has_points);
  }

  /// Takes from the resource and scope attributes those that no root row refers to any more.
  void NarrowGroups() {
    const auto& kept = Kept(RootTable(batch_.signal()));
    if (!kept.has_value()) {
      return;
    }
    for (const GroupTable& group : kGroupTables) {
      if (const auto parents = FindArray(batch_.table(group.attributes), "parent_id")) {
        const auto ids = GroupIds(batch_.root(), group.group);
        Narrow(group.attributes, RowsWithIds(*parents, CollectIds(ids.get(), *kept)));
      }
    }
  }

  bool keeps_everything() const {
    for (const TableInfo& info : AllTables()) {
      const auto& rows = rows_[TableIndex(info.kind)];
      if (rows.has_value() && batch_.table(info.kind) != nullptr &&
          rows->Count() != rows->num_rows()) {
        return false;
      }
    }
    return true;
  }

  Result<BatchPtr> Build() const {
    BatchBuilder builder(batch_.signal());
    for (const TableInfo& info : AllTables()) {
      auto table = batch_.table(info.kind);
      const auto& rows = rows_[TableIndex(info.kind)];
      if (table == nullptr) {
        continue;
      }
      if (rows.has_value()) {
        ARROW_ASSIGN_OR_RAISE(table, SelectRows(table, *rows));
      }
      ARROW_RETURN_NOT_OK(builder.Set(info.kind, std::move(table)));
    }
    BatchPtr built = builder.Build();
    return built->num_root_rows() == 0 ? nullptr : built;
  }

 private:
  std::optional<RowSet>& Kept(TableKind kind) { return rows_[TableIndex(kind)]; }

  void Narrow(TableKind kind, const RowSet& rows) {
    auto& kept = Kept(kind);
    if (kept.has_value()) {
      kept->Intersect(rows);
    } else {
      kept = rows;
    }
  }

  const Batch& batch_;
  RowsByTable rows_;
};

}  // namespace

void Selection::Narrow(TableKind kind, const RowSet& rows) {
  auto& kept = rows_[TableIndex(kind)];
  if (kept.has_value()) {
    kept->Intersect(rows);
  } else {
    kept = rows;
  }
}

arrow::Result<BatchPtr> Filter(const BatchPtr& batch, const Selection& selection,
                               EmptiedMetrics emptied) {
  if (batch->num_root_rows() == 0) {
    return nullptr;
  }
  Cascade cascade(*batch, selection);
  if (cascade.keeps_everything()) {
    return batch;
  }
  cascade.NarrowChildren();
  if (emptied == EmptiedMetrics::kDrop && batch->signal() == Signal::kMetrics) {
    cascade.DropEmptiedMetrics();
    cascade.NarrowChildren();
  }
  cascade.NarrowGroups();
  return cascade.Build();
}

arrow::Result<BatchPtr> FilterRoots(const BatchPtr& batch, RowSet rows) {
  Selection selection;
  selection.Set(RootTable(batch->signal()), std::move(rows));
  return Filter(batch, selection);
}

}  // namespace df::otap
