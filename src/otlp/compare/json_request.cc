#include "otlp/compare/json_request.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include <arrow/util/base64.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <protozero/pbf_writer.hpp>

#include "base/text.h"
#include "otlp/schema/messages.h"

namespace df::otlp {
namespace {

using nlohmann::json;

// Inside this file errors are thrown, as the JSON library does; RequestFromJson catches them.
[[noreturn]] void Fail(const std::string& message) { throw std::invalid_argument(message); }

const FieldShape& FieldOf(const MessageShape& shape, const std::string& key) {
  for (const FieldShape& field : shape.fields) {
    if (field.json_name.view() == key) {
      return field;
    }
  }
  Fail(fmt::format("{} has no field {}", shape.name, key));
}

std::string FromHex(const std::string& hex) {
  if (hex.size() % 2 != 0 || hex.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) {
    Fail(fmt::format("{} is no hex", hex));
  }
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::string FromBase64(const std::string& text) {
  arrow::Result<std::string> bytes = arrow::util::base64_decode(text);
  if (!bytes.ok()) {
    Fail(bytes.status().message());
  }
  return std::move(bytes).ValueUnsafe();
}

double DoubleOf(const json& value) {
  if (value.is_number()) {
    return value.get<double>();
  }
  const std::string text = value.get<std::string>();
  if (text == "NaN") {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (text == "Infinity" || text == "-Infinity") {
    return text[0] == '-' ? -HUGE_VAL : HUGE_VAL;
  }
  return std::stod(text);
}

/// A number with a point or an exponent is a double here, which does not hold all whole numbers:
/// comparing it would find equal what is not.
template <typename T>
T WholeOf(const json& value) {
  if (value.is_number_unsigned() && std::in_range<T>(value.get<uint64_t>())) {
    return static_cast<T>(value.get<uint64_t>());
  }
  if (value.is_number_integer() && !value.is_number_unsigned() &&
      std::in_range<T>(value.get<int64_t>())) {
    return static_cast<T>(value.get<int64_t>());
  }
  T number = 0;
  if (value.is_string()) {
    const std::string& text = value.get_ref<const std::string&>();
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec == std::errc() && read.ptr == text.data() + text.size()) {
      return number;
    }
  }
  Fail(fmt::format("found {}, expected a whole number from {} to {}, written as one",
                   PrintableText(value.dump(-1, ' ', true).substr(0, 100)),
                   std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
}

int64_t SignedOf(const json& value) { return WholeOf<int64_t>(value); }

uint64_t UnsignedOf(const json& value) { return WholeOf<uint64_t>(value); }

std::string MessageOf(const MessageShape& shape, const json& object);

void AddValue(const FieldShape& field, const json& value, protozero::pbf_writer* writer) {
  switch (field.kind) {
    case WireKind::kUInt:
      writer->add_uint64(field.number, UnsignedOf(value));
      return;
    case WireKind::kInt:
      writer->add_int64(field.number, SignedOf(value));
      return;
    case WireKind::kSInt:
      writer->add_sint64(field.number, SignedOf(value));
      return;
    case WireKind::kBool:
      writer->add_bool(field.number, value.get<bool>());
      return;
    case WireKind::kFixed32:
      writer->add_fixed32(field.number, static_cast<uint32_t>(UnsignedOf(value)));
      return;
    case WireKind::kFixed64:
      writer->add_fixed64(field.number, UnsignedOf(value));
      return;
    case WireKind::kSFixed64:
      writer->add_sfixed64(field.number, SignedOf(value));
      return;
    case WireKind::kDouble:
      writer->add_double(field.number, DoubleOf(value));
      return;
    case WireKind::kString:
      writer->add_string(field.number, value.get<std::string>());
      return;
    case WireKind::kBytes: {
      const std::string text = value.get<std::string>();
      writer->add_bytes(field.number, field.is_id ? FromHex(text) : FromBase64(text));
      return;
    }
    case WireKind::kMessage:
      writer->add_message(field.number, MessageOf(*field.message, value));
      return;
  }
}

std::string MessageOf(const MessageShape& shape, const json& object) {
  if (!object.is_object()) {
    Fail(fmt::format("a {} is {}, expected an object", shape.name, object.type_name()));
  }
  std::string bytes;
  protozero::pbf_writer writer(bytes);
  for (const auto& [key, value] : object.items()) {
    const FieldShape& field = FieldOf(shape, key);
    if (field.presence != Presence::kRepeated) {
      AddValue(field, value, &writer);
      continue;
    }
    if (!value.is_array()) {
      Fail(fmt::format("{} is {}, expected an array", key, value.type_name()));
    }
    for (const json& item : value) {
      AddValue(field, item, &writer);
    }
  }
  return bytes;
}

}  // namespace

arrow::Result<std::string> RequestFromJson(otap::Signal signal, std::string_view text) {
  try {
    return MessageOf(RequestShape(signal), json::parse(text));
  } catch (const std::exception& error) {
    return arrow::Status::Invalid(fmt::format("not OTLP JSON: {}", error.what()));
  }
}

}  // namespace df::otlp
