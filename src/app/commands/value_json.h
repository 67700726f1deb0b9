// Values of records as JSON and as words of a line.
#pragma once

#include <string>

#include "select/value.h"

namespace df::app {

/// Appends a value as JSON: integers and doubles as numbers, those that are none as "NaN",
/// "Infinity" and "-Infinity", bytes in base64, ids in hexadecimal, times in RFC 3339, durations in
/// nanoseconds, and null for nothing and for what cannot be read. Always valid UTF-8. Of several
/// entries of a map with one key all are written.
void AppendJson(const select::Value& value, std::string* out);

/// Appends a count, or a list of them, as JSON: conditions read those of data points as signed
/// numbers, so one of 2^63 and more is negative there.
void AppendCounts(const select::Value& value, std::string* out);

/// Appends a value for people: texts as they are, without control characters; maps and lists as
/// JSON.
void AppendPlain(const select::Value& value, std::string* out);

/// Appends a text on one line: control characters and bytes that are no UTF-8 are written as \xNN,
/// ends of lines as "\n".
void AppendLine(std::string_view text, std::string* out);

}  // namespace df::app
