// The columns that files of one table have, as their footers state them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <parquet/type_fwd.h>

#include "otap/schema.h"

namespace df::lake {

struct TableSchema {
  otap::TableKind table = otap::TableKind::kLogs;
  std::string fingerprint;           ///< hash of the columns: 16 hex digits
  std::vector<std::string> columns;  ///< in file order: "resource.id INT32 UINT_16 optional"
};
using TableSchemaPtr = std::shared_ptr<const TableSchema>;

/// Returns the schema of a file. Two files have the same fingerprint when their leaf columns have
/// the same names, types and order.
TableSchema SchemaOf(otap::TableKind table, const parquet::FileMetaData& metadata);

/// Returns the schema with these columns.
TableSchema SchemaWith(otap::TableKind table, std::vector<std::string> columns);

/// Says what files with `after` have that files with `before` have not, and the other way round:
/// "added event_name (BYTE_ARRAY String optional); removed flags". Says so where only the order
/// differs. Shape: at most kMostChanges columns by name.
std::string DescribeChange(const TableSchema& before, const TableSchema& after);
inline constexpr size_t kMostChanges = 8;

}  // namespace df::lake
