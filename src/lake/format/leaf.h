// The columns of a table taken apart into leaves, the unit in which Parquet is decoded and payloads
// are put together.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "otap/schema.h"

namespace df::lake {

/// One leaf of a table: a plain column, or a child of a struct column. A list counts as one leaf.
struct Leaf {
  const otap::Column* column = nullptr;  ///< the leaf itself
  const otap::Column* parent = nullptr;  ///< the struct it stands in, or null
  size_t top_index = 0;                  ///< position of the top-level column in the table

  bool is_list() const {
    return column->type == otap::ColumnType::kListUInt64 ||
           column->type == otap::ColumnType::kListFloat64 ||
           column->type == otap::ColumnType::kListQuantile;
  }
  /// Returns "body.str" or "name".
  std::string path() const {
    return parent == nullptr ? std::string(column->name)
                             : std::string(parent->name) + "." + std::string(column->name);
  }
};

/// Returns the leaves of a table in registry order; children of a struct stand together.
std::span<const Leaf> LeavesOf(otap::TableKind kind);

/// Returns the position of a leaf in LeavesOf(kind), or -1; `child` is "" for plain columns.
int LeafIndex(otap::TableKind kind, std::string_view column, std::string_view child = "");

}  // namespace df::lake
