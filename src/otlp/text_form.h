// How values look as text, in JSON and for people.
#pragma once

#include <string>
#include <string_view>

namespace df::otlp {

/// Appends lower-case hex.
void AppendHex(std::string_view bytes, std::string* out);

/// Appends the shortest decimal that reads back as the same double: "1.5", "-0.0", "NaN",
/// "Infinity", "-Infinity".
void AppendDouble(double value, std::string* out);

/// Appends the text with quotes, backslashes and control characters escaped as JSON does it, and
/// with U+FFFD for each byte that is not part of valid UTF-8. Returns false when there was one.
bool AppendEscaped(std::string_view text, std::string* out);

}  // namespace df::otlp
