// A field of every item of a table: what a path of a condition reads.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "otap/batch.h"
#include "select/paths.h"
#include "select/value.h"

namespace df::select {

/// Reads one field, row by row. Owner: borrows the batch. Calls: from one thread.
class Source {
 public:
  virtual ~Source() = default;

  virtual Value At(int64_t row) const = 0;

  /// Rows of equal codes have equal values, so a condition on them is asked once. A code is less
  /// than num_codes, or -1 for a row that has none.
  virtual int64_t num_codes() const { return 0; }
  virtual int64_t CodeAt(int64_t) const { return -1; }
};

/// A field and the keys behind it.
struct Path {
  const PathInfo* info = nullptr;
  std::vector<KeySyntax> keys;
};

/// The rows that a condition is asked about: of a root table, or of a table of data points.
class Items {
 public:
  /// Owner: borrows the batch, which has the table.
  Items(const otap::Batch& batch, otap::TableKind table);

  int64_t num_rows() const { return rows_->num_rows(); }

  /// Returns what reads a field of the rows.
  std::unique_ptr<Source> Bind(const Path& path) const;

 private:
  std::unique_ptr<Source> BindRow(const Path& path, otap::TableKind table) const;

  const otap::Batch& batch_;
  otap::TableKind table_;
  std::shared_ptr<arrow::RecordBatch> rows_;
  std::vector<int32_t> metric_rows_;  ///< by data point: the row of its metric, or -1
};

}  // namespace df::select
