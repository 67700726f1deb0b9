// Decoded rows of one table.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <arrow/array.h>

#include "lake/format/leaf_decoder.h"
#include "otap/schema.h"

namespace df::lake {

struct FileSummary;

/// Consecutive rows of a row group, by leaf in LeavesOf order.
struct TableSlice {
  int64_t num_rows = 0;
  std::vector<LeafSlice> leaves;
  std::vector<RefusedRows> refused;  ///< rows that do not go out: ascending, without overlap
  int64_t size_bytes = 0;

  bool is_refused(int64_t row) const;
};

/// Rows of one slice that belong to a payload: a stretch, or single rows in the order given.
struct Piece {
  std::shared_ptr<const TableSlice> slice;
  int64_t offset = 0;
  int64_t length = 0;
  /// Row indices inside the slice (Int32, no nulls); null for the stretch [offset, offset +
  /// length).
  std::shared_ptr<arrow::Array> selection = nullptr;
  const FileSummary* file = nullptr;  ///< of rows of a child table; lives as long as its cursor

  // Where the rows of a child table lie.
  int row_group = 0;                                    ///< of the file
  int64_t first_row = 0;                                ///< of the row group: row 0 of the slice
  std::shared_ptr<arrow::Array> copied_rows = nullptr;  ///< Int32: instead, when rows were copied

  /// Returns the row in the row group of a row of the slice.
  int64_t RowInGroup(int64_t slice_row) const;
};

/// Rows of one table that belong to a payload, with their parent's new id and their own old id.
struct ChildRows {
  std::vector<Piece> pieces;
  std::vector<uint32_t> parents;  ///< new ids, one per row
  std::vector<uint32_t> ids;      ///< old ids, one per row; empty when the table has no id
  /// One per id: kNoId (the row has none), kId, or kRepeatedId (another row of the same row group
  /// has the same id).
  std::vector<uint8_t> id_states;
  static constexpr uint8_t kNoId = 0;
  static constexpr uint8_t kId = 1;
  static constexpr uint8_t kRepeatedId = 2;
  int64_t num_rows() const { return static_cast<int64_t>(parents.size()); }
};

class TableFile;

/// Estimates how many rows of a row group make a slice of ReadContext::slice_bytes: 1..65,536.
int64_t SliceRows(const TableFile& file, int row_group, const std::vector<bool>& wanted,
                  int64_t slice_bytes);

/// Returns, by leaf, what a slice of a table holds: everything but the top-level ids, which are
/// read apart; and these.
std::vector<bool> DataLeaves(otap::TableKind kind);
std::vector<bool> IdLeaves(otap::TableKind kind);

/// Copies rows (Int32, no nulls) of a slice, so that it need not be held for them.
Result<std::shared_ptr<TableSlice>> CopyRows(const TableSlice& slice, const arrow::Array& rows);

/// Returns the bytes of the arrays of a slice, dictionaries not counted.
int64_t SliceBytes(const std::vector<LeafSlice>& leaves);

}  // namespace df::lake
