// Single columns of Arrow tables rewritten as other writers leave them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/table.h>
#include <arrow/type.h>

namespace df::testing {

/// Reads a Parquet file into one batch. Errors: those of Arrow.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReadTable(const std::string& path);

/// Returns the dotted paths of the columns of a table that are no structs; lists count as one.
std::vector<std::string> ColumnPaths(const arrow::Schema& schema);

/// Returns a column at a path. Shape: as long as the table; a child of a null struct is null.
arrow::Result<std::shared_ptr<arrow::Array>> ColumnAt(const arrow::RecordBatch& table,
                                                      const std::string& path);

/// Returns the table with another column in the place of one; its last name becomes `name`. Null
/// drops the column, and a struct with its last child.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReplaceColumn(
    const arrow::RecordBatch& table, const std::string& path, const std::string& name,
    const std::shared_ptr<arrow::Array>& column);

/// The types that a column is rewritten to.
std::vector<std::shared_ptr<arrow::DataType>> RewriteTypes();

/// A column as another type.
struct Retyped {
  std::shared_ptr<arrow::Array> column;
  /// What the values mean as the old type; null where the old values are not in the column.
  std::shared_ptr<arrow::Array> meaning;
};

/// Converts the values where Arrow knows how and they all fit; else puts some value of the type
/// where there was one.
arrow::Result<Retyped> Retype(const std::shared_ptr<arrow::Array>& column,
                              const std::shared_ptr<arrow::DataType>& type);

}  // namespace df::testing
