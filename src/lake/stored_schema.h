// The Arrow schema that some writers store in a Parquet file: it says what Parquet has no type for.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <arrow/result.h>
#include <arrow/type.h>

namespace df::lake {

/// Decodes base64 with its padding. Every file that is opened has a schema to decode: this takes a
/// tenth of the time of Arrow's. Errors: Invalid.
arrow::Result<std::string> DecodeBase64(std::string_view text);

/// Reads the value of the key ARROW:schema. Errors: Invalid or IOError when it is damaged.
arrow::Result<std::shared_ptr<arrow::Schema>> ParseStoredSchema(const std::string& stored);

/// Returns the nanoseconds in a unit of a duration, in a dictionary or not; nothing for other
/// types.
std::optional<int64_t> NanosOfDuration(const arrow::DataType& type);

}  // namespace df::lake
