// A column that says of which partition the rows of a file are.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <parquet/type_fwd.h>

namespace df::lake {

/// Returns the text that every row of a file has in a column, by the statistics of its row groups:
/// the least is the largest, and none is null. A text that a writer has cut is never equal at both
/// ends. Nothing where they do not say so, where the column is no flat one of texts, or the file
/// has no rows.
std::optional<std::string> OnlyValueOf(const parquet::FileMetaData& metadata,
                                       const std::string& column);

/// Writes a value as folders do: what would end it or its level is escaped.
std::string EscapePartitionValue(std::string_view value);

/// Tells whether all rows of a file have the value in a column that its partition has as a level,
/// as in "a=1/column=value": then the column says nothing more.
bool IsToldByPartition(const parquet::FileMetaData& metadata, const std::string& column,
                       std::string_view partition);

}  // namespace df::lake
