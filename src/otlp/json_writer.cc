#include "otlp/json_writer.h"

#include <cmath>
#include <iterator>

#include <arrow/util/base64.h>
#include <fmt/format.h>

#include "otlp/text_form.h"

namespace df::otlp {

void JsonWriter::Name(Field field) {
  Separate();
  buffer_ += '"';
  buffer_ += field.name;
  buffer_ += "\":";
}

void JsonWriter::UInt32(Field field, uint32_t value) {
  Name(field);
  fmt::format_to(std::back_inserter(buffer_), "{}", value);
}

void JsonWriter::Int64(Field field, int64_t value) {
  Name(field);
  fmt::format_to(std::back_inserter(buffer_), "\"{}\"", value);
}

void JsonWriter::Bool(Field field, bool value) {
  Name(field);
  buffer_ += value ? "true" : "false";
}

void JsonWriter::Enum(Field field, int32_t value) {
  Name(field);
  fmt::format_to(std::back_inserter(buffer_), "{}", value);
}

void JsonWriter::Fixed64(Field field, uint64_t value) {
  Name(field);
  fmt::format_to(std::back_inserter(buffer_), "\"{}\"", value);
}

void JsonWriter::Double(Field field, double value) {
  Name(field);
  Number(value);
}

void JsonWriter::String(Field field, std::string_view value) {
  Name(field);
  Quoted(value);
}

void JsonWriter::Bytes(Field field, std::string_view value) {
  Name(field);
  buffer_ += '"';
  buffer_ += arrow::util::base64_encode(value);
  buffer_ += '"';
}

void JsonWriter::Id(Field field, std::string_view value) {
  Name(field);
  buffer_ += '"';
  AppendHex(value, &buffer_);
  buffer_ += '"';
}

void JsonWriter::PackedFixed64(Field field, std::span<const uint64_t> values) {
  List(field, [&] {
    for (const uint64_t value : values) {
      Separate();
      fmt::format_to(std::back_inserter(buffer_), "\"{}\"", value);
    }
  });
}

void JsonWriter::PackedDouble(Field field, std::span<const double> values) {
  List(field, [&] {
    for (const double value : values) {
      Separate();
      Number(value);
    }
  });
}

void JsonWriter::Number(double value) {
  if (std::isfinite(value)) {
    AppendDouble(value, &buffer_);
  } else {
    buffer_ += '"';
    AppendDouble(value, &buffer_);
    buffer_ += '"';
  }
}

void JsonWriter::Quoted(std::string_view text) {
  buffer_ += '"';
  if (!AppendEscaped(text, &buffer_)) {
    ++replaced_texts_;
  }
  buffer_ += '"';
}

}  // namespace df::otlp
