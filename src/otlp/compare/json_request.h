// OTLP JSON as protobuf bytes, so that both forms can be compared.
#pragma once

#include <string>
#include <string_view>

#include <arrow/result.h>

#include "otap/schema.h"

namespace df::otlp {

/// Reads one export request written as OTLP JSON: lowerCamelCase names, hex ids, base64 bytes,
/// numbers as numbers or strings, NaN and infinities as strings. Errors: Invalid naming the key
/// that is unknown or has a value of the wrong kind.
arrow::Result<std::string> RequestFromJson(otap::Signal signal, std::string_view json);

}  // namespace df::otlp
