// New rows for attribute tables.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "otap/any_value.h"
#include "otap/rows.h"

namespace df::otap {

/// Returns the rows of one key and value, one for each parent.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> MakeAttributeRows(
    TableKind kind, std::span<const uint32_t> parents, std::string_view key,
    const AttributeValue& value);

/// Returns the rows of one key, each with its text.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> MakeTextRows(TableKind kind,
                                                                std::span<const uint32_t> parents,
                                                                std::string_view key,
                                                                std::span<const std::string> texts);

/// Returns the parents of some rows of an attribute table, in order of the rows.
std::vector<uint32_t> ParentsOf(const arrow::RecordBatch& attributes, const RowSet& rows);

/// Returns the lower-case hexadecimal SHA-256 of the salt and some bytes.
arrow::Result<std::string> HashText(std::string_view salt, std::string_view bytes);

/// Returns what HashText is asked about: the bytes of a value (see EditAttributeTable).
std::string HashedBytes(const ValueColumns& values, int64_t row);

/// Returns a column of ids of the width 16 or 32.
arrow::Result<std::shared_ptr<arrow::Array>> MakeIds(std::span<const uint32_t> ids, int bits);

}  // namespace df::otap
