#include "app/commands/value_json.h"

#include <cmath>

#include <arrow/util/base64.h>
#include <fmt/format.h>

#include "app/commands/moment.h"
#include "base/text.h"
#include "otlp/text_form.h"

namespace df::app {
namespace {

void AppendText(std::string_view text, std::string* out) {
  *out += '"';
  otlp::AppendEscaped(text, out);
  *out += '"';
}

void AppendNumber(double number, std::string* out) {
  if (std::isfinite(number)) {
    otlp::AppendDouble(number, out);
    return;
  }
  *out += '"';
  otlp::AppendDouble(number, out);
  *out += '"';
}

void AppendMap(const select::Map& map, std::string* out) {
  *out += '{';
  for (size_t i = 0; i < map.size(); ++i) {
    *out += i == 0 ? "" : ",";
    AppendText(map[i].first, out);
    *out += ':';
    AppendJson(map[i].second, out);
  }
  *out += '}';
}

/// RFC 3339 with nanoseconds: "2026-11-26T14:59:45.600Z".
std::string TimeText(const select::Time& time) {
  std::string text = ShowMoment(static_cast<int64_t>(time.nanos));
  if (const size_t space = text.find(' '); space != std::string::npos) {
    text[space] = 'T';
  }
  return text;
}

/// A character of Unicode that moves the cursor or turns the order of others around.
struct Invisible {
  size_t size = 0;  ///< in bytes; 0: a visible character
  uint32_t code = 0;
};

/// U+0080 to U+009F, line and paragraph ends, and those that set the direction.
Invisible InvisibleAt(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) -> uint32_t {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0;
  };
  if (byte(0) == 0xC2 && byte(1) >= 0x80 && byte(1) < 0xA0) {
    return {2, byte(1)};
  }
  if (byte(0) == 0xE2 && (byte(1) == 0x80 || byte(1) == 0x81)) {
    const uint32_t code = 0x2000 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    if ((code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069)) {
      return {3, code};
    }
  }
  return {};
}

}  // namespace

void AppendJson(const select::Value& value, std::string* out) {
  if (const auto* truth = value.As<bool>()) {
    *out += *truth ? "true" : "false";
  } else if (const auto* integer = value.As<int64_t>()) {
    *out += fmt::format("{}", *integer);
  } else if (const auto* number = value.As<double>()) {
    AppendNumber(*number, out);
  } else if (const auto* text = value.As<select::Text>()) {
    AppendText(text->view(), out);
  } else if (const auto* bytes = value.As<select::Bytes>()) {
    *out += '"' + arrow::util::base64_encode(bytes->view()) + '"';
  } else if (const auto* id = value.As<select::Id>()) {
    AppendText(select::ToHex(id->view()), out);
  } else if (const auto* time = value.As<select::Time>()) {
    AppendText(TimeText(*time), out);
  } else if (const auto* duration = value.As<select::Duration>()) {
    *out += fmt::format("{}", duration->nanos);
  } else if (const select::List* list = value.list(); list != nullptr) {
    *out += '[';
    for (size_t i = 0; i < list->size(); ++i) {
      *out += i == 0 ? "" : ",";
      AppendJson((*list)[i], out);
    }
    *out += ']';
  } else if (const select::Map* map = value.map(); map != nullptr) {
    AppendMap(*map, out);
  } else {
    *out += "null";
  }
}

void AppendCounts(const select::Value& value, std::string* out) {
  if (const auto* count = value.As<int64_t>()) {
    *out += fmt::format("{}", static_cast<uint64_t>(*count));
  } else if (const select::List* list = value.list(); list != nullptr) {
    *out += '[';
    for (size_t i = 0; i < list->size(); ++i) {
      *out += i == 0 ? "" : ",";
      AppendCounts((*list)[i], out);
    }
    *out += ']';
  } else {
    AppendJson(value, out);
  }
}

void AppendPlain(const select::Value& value, std::string* out) {
  if (const auto* text = value.As<select::Text>()) {
    AppendLine(text->view(), out);
  } else if (const auto* failure = value.As<select::Failure>()) {
    *out += fmt::format("<unreadable: {}>", *failure->reason);
  } else if (const auto* time = value.As<select::Time>()) {
    *out += ShowMoment(static_cast<int64_t>(time->nanos));
  } else if (value.As<select::Bytes>() != nullptr || value.As<select::Id>() != nullptr) {
    std::string quoted;
    AppendJson(value, &quoted);
    *out += std::string_view(quoted).substr(1, quoted.size() - 2);
  } else if (!value.is_nil()) {
    AppendJson(value, out);
  }
}

void AppendLine(std::string_view text, std::string* out) {
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const Invisible invisible = InvisibleAt(text, i);
    if (text[i] == '\n' || invisible.size > 0) {
      *out += PrintableText(text.substr(begin, i - begin));
      *out += invisible.size == 0 ? "\\n" : fmt::format("\\u{:04x}", invisible.code);
      i += invisible.size == 0 ? 0 : invisible.size - 1;
      begin = i + 1;
    }
  }
  *out += PrintableText(text.substr(begin));
}

}  // namespace df::app
