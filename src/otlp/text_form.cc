#include "otlp/text_form.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

#include "base/text.h"

namespace df::otlp {
namespace {

bool IsPlain(char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; }

void AppendEscape(char c, std::string* out) {
  switch (c) {
    case '"':
      *out += "\\\"";
      break;
    case '\\':
      *out += "\\\\";
      break;
    case '\n':
      *out += "\\n";
      break;
    case '\r':
      *out += "\\r";
      break;
    case '\t':
      *out += "\\t";
      break;
    default:
      fmt::format_to(std::back_inserter(*out), "\\u{:04x}", static_cast<unsigned char>(c));
  }
}

void AppendValidEscaped(std::string_view text, std::string* out) {
  while (!text.empty()) {
    const auto plain = std::find_if_not(text.begin(), text.end(), IsPlain);
    out->append(text.begin(), plain);
    text.remove_prefix(static_cast<size_t>(plain - text.begin()));
    if (!text.empty()) {
      AppendEscape(text.front(), out);
      text.remove_prefix(1);
    }
  }
}

// Length of the valid character at the start of the text, or 0.
size_t CharacterLength(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  return text.size() >= length && IsValidUtf8(text.substr(0, length)) ? length : 0;
}

}  // namespace

void AppendHex(std::string_view bytes, std::string* out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    *out += kDigits[byte >> 4U];
    *out += kDigits[byte & 15U];
  }
}

void AppendDouble(double value, std::string* out) {
  if (std::isnan(value)) {
    *out += "NaN";
  } else if (std::isinf(value)) {
    *out += value < 0 ? "-Infinity" : "Infinity";
  } else if (value == 0) {
    // Without the point, readers take -0 for an integer and lose its sign.
    *out += std::signbit(value) ? "-0.0" : "0";
  } else {
    fmt::format_to(std::back_inserter(*out), "{}", value);
  }
}

bool AppendEscaped(std::string_view text, std::string* out) {
  if (IsValidUtf8(text)) {
    AppendValidEscaped(text, out);
    return true;
  }
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    if (length == 0) {
      *out += "\xEF\xBF\xBD";
    } else {
      AppendValidEscaped(text.substr(0, length), out);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return false;
}

}  // namespace df::otlp
