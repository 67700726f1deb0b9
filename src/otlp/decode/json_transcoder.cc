#include "otlp/decode/json_transcoder.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include <arrow/util/base64.h>
#include <fmt/format.h>

#include "otlp/decode/json_tree.h"
#include "otlp/proto_writer.h"

namespace df::otlp {
namespace {

/// The values and the keys around them that a request with the deepest value has; and some more for
/// what is skipped.
constexpr size_t JsonDepthOf(int max_value_depth) {
  return 5 * static_cast<size_t>(max_value_depth) + 64;
}

/// Tells whether a JSON key names a field: "timeUnixNano" or "time_unix_nano".
bool IsNameOf(std::string_view key, std::string_view field_name) {
  if (key == field_name) {
    return true;
  }
  size_t at = 0;
  for (size_t i = 0; i < field_name.size(); ++i, ++at) {
    char expected = field_name[i];
    if (expected == '_' && i + 1 < field_name.size()) {
      expected = field_name[++i];
      expected =
          expected >= 'a' && expected <= 'z' ? static_cast<char>(expected - 'a' + 'A') : expected;
    }
    if (at >= key.size() || key[at] != expected) {
      return false;
    }
  }
  return at == key.size();
}

bool IsHex(const FieldShape& field) {
  return field.name == "trace_id" || field.name == "span_id" || field.name == "parent_span_id";
}

std::optional<unsigned> HexDigit(char digit) {
  if (digit >= '0' && digit <= '9') {
    return digit - '0';
  }
  const char lower = static_cast<char>(digit | 0x20);
  if (lower >= 'a' && lower <= 'f') {
    return lower - 'a' + 10;
  }
  return std::nullopt;
}

std::optional<std::string> FromHex(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    const auto high = HexDigit(text[i]);
    const auto low = HexDigit(text[i + 1]);
    if (!high || !low) {
      return std::nullopt;
    }
    bytes.push_back(static_cast<char>(*high << 4U | *low));
  }
  return text.size() % 2 == 0 ? std::optional(std::move(bytes)) : std::nullopt;
}

std::optional<std::string> FromBase64(std::string_view text) {
  std::string standard(text);
  for (char& letter : standard) {
    letter = letter == '-' ? '+' : letter == '_' ? '/' : letter;
  }
  standard.append((4 - standard.size() % 4) % 4, '=');
  arrow::Result<std::string> bytes = arrow::util::base64_decode(standard);
  return bytes.ok() ? std::optional(*std::move(bytes)) : std::nullopt;
}

/// Parses all of a text.
template <typename T>
std::optional<T> ParseNumber(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                  : std::nullopt;
}

std::optional<double> ParseDouble(std::string_view text) {
  if (text == "NaN") {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (text == "Infinity" || text == "-Infinity") {
    return text[0] == '-' ? -std::numeric_limits<double>::infinity()
                          : std::numeric_limits<double>::infinity();
  }
  // from_chars would take "nan" and "inf".
  return text.find_first_of("nN") == std::string_view::npos ? ParseNumber<double>(text)
                                                            : std::nullopt;
}

/// A whole number of a range, from a JSON number or text. 1e3 is one, 0.5 is none.
template <typename T>
std::optional<T> IntegerOf(const JsonValue& value) {
  const auto narrow = [](auto wide) {
    return std::in_range<T>(wide) ? std::optional(static_cast<T>(wide)) : std::nullopt;
  };
  const auto from_double = [](double real) -> std::optional<T> {
    // Both limits are powers of two, or one less: exact as doubles when widened by one.
    const double end = std::ldexp(1.0, std::numeric_limits<T>::digits);
    const bool fits = real >= static_cast<double>(std::numeric_limits<T>::min()) && real < end;
    return fits && std::trunc(real) == real ? std::optional(static_cast<T>(real)) : std::nullopt;
  };
  if (const auto* number = value.As<uint64_t>()) {
    return narrow(*number);
  }
  if (const auto* number = value.As<int64_t>()) {
    return narrow(*number);
  }
  if (const auto* number = value.As<double>()) {
    return from_double(*number);
  }
  if (const auto* text = value.As<std::string>()) {
    if (const auto integer = ParseNumber<T>(*text)) {
      return integer;
    }
    const auto real = ParseDouble(*text);
    return real ? from_double(*real) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<double> DoubleOf(const JsonValue& value) {
  if (const auto* text = value.As<std::string>()) {
    return ParseDouble(*text);
  }
  if (const auto* number = value.As<int64_t>()) {
    // The parser takes "-0" for an integer with sign; "0" is one without to it.
    return *number == 0 ? -0.0 : static_cast<double>(*number);
  }
  if (const auto* number = value.As<uint64_t>()) {
    return static_cast<double>(*number);
  }
  const auto* real = value.As<double>();
  return real == nullptr ? std::nullopt : std::optional(*real);
}

std::string_view KindOf(const JsonValue& value) {
  constexpr std::array<std::string_view, 8> kKinds = {
      "null", "a boolean", "a number", "a number", "a number", "a text", "an array", "an object"};
  return kKinds[value.value.index()];
}

}  // namespace

/// Writes one request. Functions return false when they have set the error.
class JsonTranscoder::Writer {
 public:
  Writer(std::string* buffer, int max_value_depth, UnknownFields* unknown)
      : out_(buffer), max_value_depth_(max_value_depth), unknown_(unknown) {}

  bool WriteMessage(const MessageShape& shape, const JsonValue& value, int value_depth) {
    const auto* object = value.As<JsonValue::Object>();
    if (object == nullptr) {
      return Fail(value, "an object");
    }
    SeenFields seen;
    for (const auto& [key, item] : object->members) {
      if (item.is_null()) {
        continue;
      }
      const FieldShape* field = FindByName(shape, key);
      if (field == nullptr) {
        unknown_->AddKey(shape, key);
        continue;
      }
      if (!IsFirst(shape, *field, &seen) || !WriteField(shape, *field, item, value_depth)) {
        Prepend(key);
        return false;
      }
    }
    return true;
  }

  std::string_view written() const { return out_.written(); }
  std::string error() const { return path_.empty() ? problem_ : path_ + ": " + problem_; }

 private:
  static const FieldShape* FindByName(const MessageShape& shape, std::string_view key) {
    for (const FieldShape& field : shape.fields) {
      if (IsNameOf(key, field.name)) {
        return &field;
      }
    }
    return nullptr;
  }

  struct SeenFields {
    uint32_t bits = 0;  // by the position of the field
    bool has_choice = false;
  };

  /// Of a key that stands twice all but one would be lost, and of two members of a oneof one.
  bool IsFirst(const MessageShape& shape, const FieldShape& field, SeenFields* seen) {
    const uint32_t bit = uint32_t{1} << static_cast<size_t>(&field - &shape.fields[0]);
    if ((seen->bits & bit) != 0) {
      problem_ = "found it twice, expected each key once";
      return false;
    }
    seen->bits |= bit;
    if (field.presence == Presence::kOneof && std::exchange(seen->has_choice, true)) {
      problem_ = "found it beside another one, expected one kind of value";
      return false;
    }
    return true;
  }

  bool Fail(const JsonValue& found, std::string_view expected) {
    problem_ = fmt::format("found {}, expected {}", KindOf(found), expected);
    return false;
  }
  void Prepend(const std::string& step) {
    path_ = path_.empty() ? step : path_[0] == '[' ? step + path_ : step + "." + path_;
  }

  bool WriteField(const MessageShape& shape, const FieldShape& field, const JsonValue& value,
                  int value_depth) {
    if (field.presence != Presence::kRepeated) {
      return WriteValue(shape, field, value, value_depth);
    }
    const auto* array = value.As<JsonValue::Array>();
    if (array == nullptr) {
      return Fail(value, "an array");
    }
    size_t position = 0;
    for (const JsonValue& item : *array) {
      if (!WriteValue(shape, field, item, value_depth)) {
        Prepend(fmt::format("[{}]", position));
        return false;
      }
      ++position;
    }
    return true;
  }

  bool WriteValue(const MessageShape& shape, const FieldShape& field, const JsonValue& value,
                  int value_depth) {
    const Field target = {field.number, field.name};
    switch (field.kind) {
      case WireKind::kString:
        return WriteText(target, value);
      case WireKind::kBytes:
        return WriteBytes(field, value);
      case WireKind::kMessage: {
        const bool is_container = &shape == &kAnyValueShape;
        if (is_container && value_depth == max_value_depth_) {
          problem_ = fmt::format("found a value deeper than {} arrays and maps, expected less",
                                 max_value_depth_);
          return false;
        }
        bool ok = false;
        out_.Message(target, Expect::kSmall, [&] {
          ok = WriteMessage(*field.message, value, value_depth + (is_container ? 1 : 0));
        });
        return ok;
      }
      case WireKind::kBool: {
        const auto* boolean = value.As<bool>();
        if (boolean == nullptr) {
          return Fail(value, "true or false");
        }
        out_.Bool(target, *boolean);
        return true;
      }
      case WireKind::kDouble: {
        const auto real = DoubleOf(value);
        if (!real) {
          return Fail(value, "a number, or one of NaN, Infinity and -Infinity");
        }
        out_.Double(target, *real);
        return true;
      }
      default:
        return WriteInteger(field, value);
    }
  }

  template <typename T, typename Write>
  bool WriteNumber(const JsonValue& value, const Write& write) {
    const auto number = IntegerOf<T>(value);
    if (!number) {
      return Fail(value, fmt::format("a whole number from {} to {}", std::numeric_limits<T>::min(),
                                     std::numeric_limits<T>::max()));
    }
    write(*number);
    return true;
  }

  bool WriteInteger(const FieldShape& field, const JsonValue& value) {
    const Field target = {field.number, field.name};
    switch (field.kind) {
      case WireKind::kUInt:
        if (field.presence == Presence::kRepeated) {  // bucket_counts, the only one of 64 bits
          return WriteNumber<uint64_t>(
              value, [&](uint64_t number) { out_.Int64(target, static_cast<int64_t>(number)); });
        }
        return WriteNumber<uint32_t>(value, [&](uint32_t number) { out_.UInt32(target, number); });
      case WireKind::kInt:
        if (field.presence == Presence::kOneof) {  // int_value; the others are enums
          return WriteNumber<int64_t>(value, [&](int64_t number) { out_.Int64(target, number); });
        }
        return WriteNumber<int32_t>(value, [&](int32_t number) { out_.Enum(target, number); });
      case WireKind::kSInt:
        return WriteNumber<int32_t>(value, [&](int32_t number) { out_.SInt32(target, number); });
      case WireKind::kFixed32:
        return WriteNumber<uint32_t>(value, [&](uint32_t number) { out_.Fixed32(target, number); });
      case WireKind::kFixed64:
        return WriteNumber<uint64_t>(value, [&](uint64_t number) { out_.Fixed64(target, number); });
      case WireKind::kSFixed64:
        return WriteNumber<int64_t>(value, [&](int64_t number) { out_.SFixed64(target, number); });
      default:
        return Fail(value, "a number");
    }
  }

  bool WriteText(Field field, const JsonValue& value) {
    const auto* text = value.As<std::string>();
    if (text == nullptr) {
      return Fail(value, "a text");
    }
    out_.String(field, *text);
    return true;
  }

  bool WriteBytes(const FieldShape& field, const JsonValue& value) {
    const auto* text = value.As<std::string>();
    const std::string_view expected = IsHex(field) ? "a text of hex digits" : "a text in base64";
    if (text == nullptr) {
      return Fail(value, expected);
    }
    const auto bytes = IsHex(field) ? FromHex(*text) : FromBase64(*text);
    if (!bytes) {
      problem_ = fmt::format("found another text, expected {}", expected);
      return false;
    }
    out_.Bytes({field.number, field.name}, *bytes);
    return true;
  }

  ProtoWriter out_;
  int max_value_depth_;
  UnknownFields* unknown_;
  std::string path_;
  std::string problem_;
};

arrow::Result<std::string_view> JsonTranscoder::Transcode(const MessageShape& shape,
                                                          std::string_view json) {
  unknown_.Clear();
  const arrow::Result<JsonValue> root = ParseJson(json, JsonDepthOf(max_value_depth_));
  if (!root.ok()) {
    return arrow::Status::Invalid(
        fmt::format("found no JSON, expected an object: {}", root.status().message()));
  }
  Writer writer(&buffer_, max_value_depth_, &unknown_);
  if (!writer.WriteMessage(shape, *root, 0)) {
    return arrow::Status::Invalid(writer.error());
  }
  return writer.written();
}

}  // namespace df::otlp
