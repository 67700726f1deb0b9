#include "otlp/text_writer.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "otlp/schema/messages.h"
#include "otlp/text_form.h"

namespace df::otlp {
namespace {

// Fields of an AnyValue: their value alone is shown.
bool IsValueField(Field field) {
  return field.name == value_fields::kString.name || field.name == value_fields::kBool.name ||
         field.name == value_fields::kInt.name || field.name == value_fields::kDouble.name ||
         field.name == value_fields::kBytes.name;
}

bool IsPlainKey(std::string_view key) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
  return !key.empty() && key.find_first_not_of(kPlain) == std::string_view::npos;
}

/// The enums whose names are shown.
std::span<const EnumName> NamesOf(Field field) {
  if (field.name == kSpanShape.At("kind").name) {
    return kSpanKinds;
  }
  if (field.name == kStatusShape.At("code").name) {
    return kStatusCodes;
  }
  return field.name == kTemporalityField.json_name.view()
             ? std::span<const EnumName>(kTemporalities)
             : std::span<const EnumName>();
}

/// The last word of a name, "server" of SPAN_KIND_SERVER; nothing for a number without a name.
std::string EnumText(std::span<const EnumName> names, int32_t value) {
  std::string text;
  for (const EnumName& known : names) {
    if (known.number == value) {
      text = known.name.substr(known.name.rfind('_') + 1);
      std::transform(text.begin(), text.end(), text.begin(),
                     [](char letter) { return static_cast<char>(letter - 'A' + 'a'); });
    }
  }
  return text;
}

std::string TimeText(uint64_t nanos) {
  using std::chrono::seconds;
  constexpr uint64_t kNanosPerSecond = 1'000'000'000;
  const std::chrono::sys_seconds time{seconds(nanos / kNanosPerSecond)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     nanos % kNanosPerSecond);
}

}  // namespace

TextWriter::Form TextWriter::FormOf(Field field) const {
  if (field.name == value_fields::kValue.name || field.name == kLogRecordShape.At("body").name) {
    return Form::kValue;
  }
  if (field.name == value_fields::kArray.name || field.name == value_fields::kMap.name) {
    return Form::kBracket;
  }
  if (field.name == kLogsShapes.resource.At("resource").name ||
      field.name == kLogsShapes.scope.At("scope").name) {
    return Form::kTransparent;
  }
  // What holds data points goes on in the lines below.
  const bool holds_points =
      std::any_of(kMetricFields.begin() + kFirstMetricData, kMetricFields.end(),
                  [&](const FieldShape& data) { return data.field().name == field.name; });
  return holds_points || !is_inline_ ? Form::kHeading : Form::kPlain;
}

std::string_view TextWriter::TitleOf(Field field) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kTitles = {{
      {kLogsShapes.fields().resources.name, "resource"},
      {kLogsShapes.fields().scopes.name, "scope"},
      {kLogsShapes.fields().records.name, "log"},
      {kTracesShapes.fields().resources.name, "resource"},
      {kTracesShapes.fields().scopes.name, "scope"},
      {kTracesShapes.fields().records.name, "span"},
      {kMetricsShapes.fields().resources.name, "resource"},
      {kMetricsShapes.fields().scopes.name, "scope"},
      {kMetricsShapes.fields().records.name, "metric"},
      {kGaugeShape.At("data_points").name, "point"},
  }};
  for (const auto& [name, title] : kTitles) {
    if (name == field.name) {
      return title;
    }
  }
  return "";
}

bool TextWriter::IsPairs(Field field) {
  return field.name == kLogRecordShape.At("attributes").name ||
         field.name == kExemplarShape.At("filtered_attributes").name ||
         field.name == kMetricShape.At("metadata").name;
}

void TextWriter::NewLine() {
  if (!buffer_.empty()) {
    buffer_ += '\n';
  }
  buffer_.append(static_cast<size_t>(depth_) * 2, ' ');
}

void TextWriter::Heading(std::string_view name) {
  if (is_inline_) {
    buffer_ += ' ';
  } else {
    NewLine();
  }
  buffer_ += name;
}

void TextWriter::BeginField(std::string_view name) {
  if (!is_inline_) {
    NewLine();
    buffer_ += name;
    buffer_ += ": ";
    return;
  }
  if (buffer_.back() != '{') {
    buffer_ += ' ';
  }
  buffer_ += name;
  buffer_ += '=';
}

void TextWriter::Separate() {
  if (buffer_.back() != '[' && buffer_.back() != '{') {
    buffer_ += ", ";
  }
}

void TextWriter::Number(Field field, std::string_view text) {
  if (!IsValueField(field)) {
    BeginField(field.name);
  }
  buffer_ += text;
}

void TextWriter::UInt32(Field field, uint32_t value) { Number(field, std::to_string(value)); }

void TextWriter::Int64(Field field, int64_t value) { Number(field, std::to_string(value)); }

void TextWriter::SInt32(Field field, int32_t value) { Number(field, std::to_string(value)); }

void TextWriter::Bool(Field field, bool value) { Number(field, value ? "true" : "false"); }

void TextWriter::Enum(Field field, int32_t value) {
  Number(field, std::to_string(value));
  if (const std::string name = EnumText(NamesOf(field), value); !name.empty()) {
    fmt::format_to(std::back_inserter(buffer_), "({})", name);
  }
}

void TextWriter::Fixed64(Field field, uint64_t value) {
  Number(field, field.name.ends_with("UnixNano") ? TimeText(value) : std::to_string(value));
}

void TextWriter::Double(Field field, double value) {
  std::string text;
  AppendDouble(value, &text);
  Number(field, text);
}

void TextWriter::Quoted(std::string_view text) {
  buffer_ += '"';
  if (!AppendEscaped(text, &buffer_)) {
    ++replaced_texts_;
  }
  buffer_ += '"';
}

void TextWriter::String(Field field, std::string_view value) {
  if (field.name == value_fields::kKey.name) {
    IsPlainKey(value) ? static_cast<void>(buffer_.append(value)) : Quoted(value);
    buffer_ += ": ";
    return;
  }
  Number(field, "");
  Quoted(value);
}

void TextWriter::Bytes(Field field, std::string_view value) {
  Number(field, "0x");
  AppendHex(value, &buffer_);
}

void TextWriter::Id(Field field, std::string_view value) {
  Number(field, "");
  AppendHex(value, &buffer_);
}

template <typename T>
void TextWriter::Packed(Field field, std::span<const T> values) {
  BeginField(field.name);
  Bracket("[]", [&] {
    for (const T value : values) {
      Separate();
      if constexpr (std::is_same_v<T, double>) {
        AppendDouble(value, &buffer_);
      } else {
        buffer_ += std::to_string(value);
      }
    }
  });
}

void TextWriter::PackedFixed64(Field field, std::span<const uint64_t> values) {
  Packed(field, values);
}

void TextWriter::PackedDouble(Field field, std::span<const double> values) {
  Packed(field, values);
}

std::string TextWriter::Finish() {
  if (!buffer_.empty()) {
    buffer_ += '\n';
  }
  return std::move(buffer_);
}

}  // namespace df::otlp
