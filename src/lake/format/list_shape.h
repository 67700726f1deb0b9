// Which Parquet groups are lists of what the model keeps in lists.
#pragma once

#include <parquet/schema.h>

#include "otap/schema.h"

namespace df::lake {

/// Tells whether a node is a list of the items of a list column: annotated with two or three
/// levels, or a plain repeated field. Integers of any width, floats of either, and pairs of them
/// count.
bool IsListOf(const parquet::schema::Node& node, otap::ColumnType type);

/// Returns how many columns stand for a node.
int NumLeaves(const parquet::schema::Node& node);

/// Tells whether a node is a plain struct: no list, no map.
bool IsStruct(const parquet::schema::Node& node);

}  // namespace df::lake
