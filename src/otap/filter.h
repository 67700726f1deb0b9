// A part of a batch: some rows, and everything that belongs to them.
#pragma once

#include <array>
#include <optional>

#include <arrow/result.h>

#include "otap/batch.h"
#include "otap/rows.h"

namespace df::otap {

/// Rows to keep, of any tables of a batch; a table that is not set keeps all its rows.
class Selection {
 public:
  /// Sets the rows to keep of a table. Shape: as many rows as the table has.
  void Set(TableKind kind, RowSet rows) { rows_[TableIndex(kind)] = std::move(rows); }

  /// Keeps only rows that are in `rows` too.
  void Narrow(TableKind kind, const RowSet& rows);

  const std::optional<RowSet>& Find(TableKind kind) const { return rows_[TableIndex(kind)]; }

 private:
  std::array<std::optional<RowSet>, kTableCount> rows_;
};

/// What becomes of a metric that loses its last data point.
enum class EmptiedMetrics : uint8_t { kKeep, kDrop };

/// Returns the rows of the selection and what hangs below them; resources and scopes keep their
/// attributes as long as a row refers to them. Shape: ids stay as they are. Returns `batch` itself
/// when nothing is dropped and null when no root row is left. Needs plain ids. Errors: those of
/// Arrow. Cost: O(rows) of the tables that lose rows and of their children; other tables are
/// shared.
arrow::Result<BatchPtr> Filter(const BatchPtr& batch, const Selection& selection,
                               EmptiedMetrics emptied = EmptiedMetrics::kKeep);

/// The same with rows of the root table only.
arrow::Result<BatchPtr> FilterRoots(const BatchPtr& batch, RowSet rows);

}  // namespace df::otap
