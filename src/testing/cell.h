// Arrow tables as plain rows of values: slow, obvious, and able to take any Arrow form of a column.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <arrow/record_batch.h>
#include <arrow/result.h>

namespace df::testing {

struct QuantileCell {
  double quantile = 0;
  double value = 0;

  bool operator==(const QuantileCell&) const = default;
};

/// One value of a column. Nothing = null; unsigned columns hold uint64_t; signed columns,
/// timestamps and durations hold int64_t (timestamps always in nanoseconds); text, binary and fixed
/// binary hold their bytes; a valid row of a struct holds true.
using Cell = std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string,
                          std::vector<uint64_t>, std::vector<double>, std::vector<QuantileCell>>;

inline bool IsNull(const Cell& cell) { return std::holds_alternative<std::monostate>(cell); }

/// Returns a text that two cells share only when they are equal bit for bit. Bytes outside
/// printable ASCII are written as \xNN, so the text is one line.
std::string CellText(const Cell& cell);

/// One column, or one struct with its children. Every child has as many cells as its parent.
struct CellColumn {
  std::string name;
  std::shared_ptr<arrow::DataType> type;  ///< the Arrow form that it was read from or is built as
  std::vector<Cell> cells;
  std::vector<CellColumn> children;
};

struct CellTable {
  int64_t num_rows = 0;
  std::vector<CellColumn> columns;
};

/// Finds a column by name, or returns null.
CellColumn* FindCells(std::vector<CellColumn>& columns, std::string_view name);
const CellColumn* FindCells(const std::vector<CellColumn>& columns, std::string_view name);

/// Calls `visit` with every column without children and its dotted path.
void VisitLeaves(CellTable& table,
                 const std::function<void(const std::string& path, CellColumn& leaf)>& visit);

/// Reads one row of an array of any type that an OTAP table may have in memory or in a file:
/// dictionaries of any width (a null in key or value is null), views, large lists, any time unit.
/// Errors: NotImplemented for other types.
arrow::Result<Cell> ReadCell(const arrow::Array& array, int64_t row);

/// Reads a whole table; honours the offsets of sliced arrays.
arrow::Result<CellTable> ReadCells(const arrow::RecordBatch& table);

/// Builds an array. Dictionaries hold each value once in order of first use; times are converted
/// from nanoseconds. Errors: Invalid when a dictionary has more values than its index can count;
/// NotImplemented for types outside the model.
arrow::Result<std::shared_ptr<arrow::Array>> BuildArray(
    const std::shared_ptr<arrow::DataType>& type, const std::vector<Cell>& cells);

/// Builds the table, each leaf as its `type` says. Shape: every field is nullable.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> BuildRecords(const CellTable& table);

/// Returns the rows of `order` in that order; a row may be taken many times or never.
CellTable TakeRows(const CellTable& table, const std::vector<int64_t>& order);

/// Counts the different non-null values of a column.
size_t CountDistinct(const std::vector<Cell>& cells);

}  // namespace df::testing
