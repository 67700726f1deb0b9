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
  // Control characters of two bytes, U+0080 to U+009F, move the cursor of some terminals, too.
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_end_of_line = text[i] == '\n';
    const bool is_control = text[i] == '\xC2' && i + 1 < text.size() &&
                            static_cast<unsigned char>(text[i + 1]) >= 0x80 &&
                            static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (is_end_of_line || is_control) {
      *out += PrintableText(text.substr(begin, i - begin));
      *out += is_end_of_line ? "\\n"
                             : fmt::format("\\u{:04x}", static_cast<unsigned char>(text[i + 1]));
      i += is_control ? 1 : 0;
      begin = i + 1;
    }
  }
  *out += PrintableText(text.substr(begin));
}

}  // namespace df::app
