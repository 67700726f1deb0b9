#include "nodes/exporters/console/pretty_text.h"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

#include "engine/account.h"

namespace df::nodes::exporters::console {
namespace {

constexpr std::string_view kReset = "\x1b[0m";
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kBlue = "\x1b[34m";
constexpr std::string_view kCyan = "\x1b[36m";

std::string_view ColorOf(std::string_view first_word, std::string_view line) {
  if (first_word == "resource") {
    return kCyan;
  }
  if (first_word == "scope") {
    return kBlue;
  }
  // Severities and status codes stand as fields behind the first word, or on a line of their own.
  const auto has = [line](std::string_view text) {
    return line.find(text) != std::string_view::npos;
  };
  if (has("severityText=\"ERROR") || has("severityText=\"FATAL") || has("code=error") ||
      has("code: error")) {
    return kRed;
  }
  if (has("severityText=\"WARN")) {
    return kYellow;
  }
  const bool is_record = first_word == "log" || first_word == "span" || first_word == "metric" ||
                         first_word == "point";
  return is_record ? kGreen : std::string_view();
}

/// Takes one character of valid UTF-8 off the front.
uint32_t TakeCharacter(std::string_view* text) {
  const auto lead = static_cast<unsigned char>((*text)[0]);
  const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  uint32_t code = length == 1 ? lead : lead & (0xFFU >> (length + 1));
  for (size_t i = 1; i < length && i < text->size(); ++i) {
    code = code << 6 | (static_cast<unsigned char>((*text)[i]) & 0x3FU);
  }
  text->remove_prefix(std::min(length, text->size()));
  return code;
}

void AppendAscii(std::string_view text, std::string* out) {
  while (!text.empty()) {
    const uint32_t code = TakeCharacter(&text);
    if (code < 0x80) {
      out->push_back(static_cast<char>(code));
    } else if (code < 0x10000) {
      fmt::format_to(std::back_inserter(*out), "\\u{:04x}", code);
    } else {
      // As JSON does it: two surrogates.
      const uint32_t rest = code - 0x10000;
      fmt::format_to(std::back_inserter(*out), "\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10),
                     0xDC00 + (rest & 0x3FF));
    }
  }
}

void AppendGuides(size_t depth, PrettyStyle style, std::string* out) {
  if (depth > 0 && style.has_color) {
    *out += kDim;
  }
  for (size_t i = 0; i < depth; ++i) {
    *out += style.has_unicode ? "│ " : "| ";
  }
  if (depth > 0 && style.has_color) {
    *out += kReset;
  }
}

void DressLine(std::string_view line, PrettyStyle style, std::string* out) {
  const size_t indentation = std::min(line.find_first_not_of(' '), line.size());
  AppendGuides(indentation / 2, style, out);
  line.remove_prefix(indentation);
  const std::string_view first_word = line.substr(0, line.find(' '));
  const std::string_view color = style.has_color ? ColorOf(first_word, line) : std::string_view();
  *out += color;
  *out += first_word;
  if (!color.empty()) {
    *out += kReset;
  }
  const std::string_view rest = line.substr(first_word.size());
  if (style.has_unicode) {
    *out += rest;
  } else {
    AppendAscii(rest, out);
  }
  *out += '\n';
}

}  // namespace

std::string Headline(const otap::Batch& batch, int64_t num_printed, PrettyStyle style) {
  std::string line = fmt::format("{}: {} {}", otap::Name(batch.signal()), batch.num_root_rows(),
                                 engine::RecordName(batch.signal()));
  if (batch.signal() == otap::Signal::kMetrics) {
    line += fmt::format(", {} data points", batch.num_items());
  }
  if (num_printed < batch.num_root_rows()) {
    line += fmt::format(", the first {} of them", num_printed);
  }
  const std::string_view bullet = style.has_unicode ? "● " : "* ";
  return style.has_color ? fmt::format("{}{}{}{}\n", kBold, bullet, line, kReset)
                         : fmt::format("{}{}\n", bullet, line);
}

std::string Dress(std::string_view text, PrettyStyle style) {
  std::string dressed;
  dressed.reserve(text.size() + text.size() / 4);
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    DressLine(text.substr(0, end), style, &dressed);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return dressed;
}

Result<otap::BatchPtr> FirstRecords(const otap::BatchPtr& batch, int64_t max_records) {
  if (batch->num_root_rows() <= max_records) {
    return batch;
  }
  otap::BatchBuilder builder(batch->signal(), batch->id_encoding());
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (batch->table(table.kind) != nullptr) {
      const bool is_root = table.kind == otap::RootTable(batch->signal());
      ARROW_RETURN_NOT_OK(builder.Set(
          table.kind, is_root ? batch->root()->Slice(0, max_records) : batch->table(table.kind)));
    }
  }
  return builder.Build();
}

}  // namespace df::nodes::exporters::console
