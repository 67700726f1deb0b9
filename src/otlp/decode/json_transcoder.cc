#include "otlp/decode/json_transcoder.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include <arrow/util/base64.h>
#include <fmt/format.h>

#include "otlp/decode/json_scanner.h"
#include "otlp/proto_writer.h"

namespace df::otlp {
namespace {

/// The values and the keys around them that a request with the deepest value has; and some more for
/// what is skipped.
constexpr size_t JsonDepthOf(int max_value_depth) {
  return 5 * static_cast<size_t>(max_value_depth) + 64;
}

constexpr uint8_t kNoDigit = 0xFF;
constexpr std::array<uint8_t, 256> kHexDigits = [] {
  std::array<uint8_t, 256> digits{};
  digits.fill(kNoDigit);
  for (uint8_t digit = 0; digit < 10; ++digit) {
    digits['0' + digit] = digit;
  }
  for (uint8_t digit = 10; digit < 16; ++digit) {
    digits['a' + digit - 10] = digit;
    digits['A' + digit - 10] = digit;
  }
  return digits;
}();

bool FromHex(std::string_view text, std::string* bytes) {
  bytes->resize(text.size() / 2);
  uint8_t seen = 0;
  for (size_t i = 0; i < bytes->size(); ++i) {
    const uint8_t high = kHexDigits[static_cast<uint8_t>(text[2 * i])];
    const uint8_t low = kHexDigits[static_cast<uint8_t>(text[2 * i + 1])];
    seen |= high | low;
    (*bytes)[i] = static_cast<char>(high << 4U | low);
  }
  return text.size() % 2 == 0 && seen < 16;
}

bool FromBase64(std::string_view text, std::string* bytes) {
  std::string standard(text);
  for (char& letter : standard) {
    letter = letter == '-' ? '+' : letter == '_' ? '/' : letter;
  }
  standard.append((4 - standard.size() % 4) % 4, '=');
  arrow::Result<std::string> decoded = arrow::util::base64_decode(standard);
  if (decoded.ok()) {
    *bytes = *std::move(decoded);
  }
  return decoded.ok();
}

/// Parses a text of up to 19 digits, which is how times are written, and nothing else.
std::optional<uint64_t> ParseDigits(std::string_view text) {
  if (text.empty() || text.size() > 19) {
    return std::nullopt;
  }
  uint64_t value = 0;
  for (const char letter : text) {
    const auto digit = static_cast<uint8_t>(letter - '0');
    if (digit > 9) {
      return std::nullopt;
    }
    value = 10 * value + digit;
  }
  return value;
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

/// What a number may be written as.
struct Scalar {
  JsonKind kind = JsonKind::kNone;
  JsonNumber number;
  std::string_view text;
};

/// Digits of a number as it is written, without those that say nothing, and where its point is.
struct Decimal {
  bool is_negative = false;
  std::string digits;     ///< no zeros at the begin or the end; "" for 0
  int64_t num_whole = 0;  ///< digits before the point; more than there are: zeros follow
};

/// Takes a number apart that is one as JSON has it, or as a text has it. Cost: linear.
Decimal TakeApart(std::string_view text) {
  Decimal decimal;
  decimal.is_negative = text.starts_with('-');
  const size_t end = std::min(text.find_first_of("eE"), text.size());
  bool is_fraction = false;
  for (const char letter : text.substr(0, end)) {
    is_fraction = is_fraction || letter == '.';
    if (letter < '0' || letter > '9' || (letter == '0' && decimal.digits.empty())) {
      // A zero before the first digit moves the point where it stands behind it.
      decimal.num_whole -= letter == '0' && is_fraction ? 1 : 0;
      continue;
    }
    decimal.digits += letter;
    decimal.num_whole += is_fraction ? 0 : 1;
  }
  if (end < text.size()) {
    std::string_view exponent = text.substr(end + 1);
    exponent.remove_prefix(exponent.starts_with('+') ? 1 : 0);
    int64_t shift = 0;
    const auto read = std::from_chars(exponent.data(), exponent.data() + exponent.size(), shift);
    // A point that is further away than any number is long is as good as any other.
    constexpr int64_t kFar = int64_t{1} << 40U;
    const bool is_far = read.ec == std::errc::result_out_of_range;
    decimal.num_whole +=
        is_far ? (exponent.starts_with('-') ? -kFar : kFar) : std::clamp(shift, -kFar, kFar);
  }
  decimal.digits.resize(decimal.digits.find_last_not_of('0') + 1);
  return decimal;
}

/// A whole number of a range, digit by digit: doubles do not hold all of them. 1e3 is one, 0.5 is
/// none.
template <typename T>
std::optional<T> WholeOf(std::string_view text) {
  const Decimal decimal = TakeApart(text);
  if (decimal.digits.empty()) {
    return T{0};
  }
  constexpr int64_t kMostDigits = std::numeric_limits<uint64_t>::digits10 + 1;
  if (decimal.num_whole < std::ssize(decimal.digits) || decimal.num_whole > kMostDigits) {
    return std::nullopt;
  }
  std::string whole = decimal.digits;
  whole.resize(static_cast<size_t>(decimal.num_whole), '0');
  const auto magnitude = ParseNumber<uint64_t>(whole);
  if (!magnitude.has_value()) {
    return std::nullopt;
  }
  constexpr uint64_t kLeast = uint64_t{1} << 63U;
  if (decimal.is_negative) {
    const auto negative = static_cast<int64_t>(0 - *magnitude);
    return *magnitude <= kLeast && std::in_range<T>(negative)
               ? std::optional(static_cast<T>(negative))
               : std::nullopt;
  }
  return std::in_range<T>(*magnitude) ? std::optional(static_cast<T>(*magnitude)) : std::nullopt;
}

/// A whole number of a range, from a JSON number or text.
template <typename T>
std::optional<T> IntegerOf(const Scalar& value) {
  const auto narrow = [](auto wide) {
    return std::in_range<T>(wide) ? std::optional(static_cast<T>(wide)) : std::nullopt;
  };
  if (value.kind == JsonKind::kText) {
    if (const auto digits = ParseDigits(value.text)) {
      return narrow(*digits);
    }
    if (const auto integer = ParseNumber<T>(value.text)) {
      return integer;
    }
    const auto real = ParseDouble(value.text);
    return real && std::isfinite(*real) ? WholeOf<T>(value.text) : std::nullopt;
  }
  switch (value.number.kind) {
    case JsonNumber::Kind::kUnsigned:
      return narrow(value.number.magnitude);
    case JsonNumber::Kind::kSigned:
      return narrow(value.number.integer);
    case JsonNumber::Kind::kReal:
      return WholeOf<T>(value.number.digits);
  }
  return std::nullopt;
}

std::optional<double> DoubleOf(const Scalar& value) {
  if (value.kind == JsonKind::kText) {
    return ParseDouble(value.text);
  }
  switch (value.number.kind) {
    case JsonNumber::Kind::kUnsigned:
      return static_cast<double>(value.number.magnitude);
    case JsonNumber::Kind::kSigned:
      // "-0" is a number with sign; "0" is one without.
      return value.number.integer == 0 ? -0.0 : static_cast<double>(value.number.integer);
    case JsonNumber::Kind::kReal:
      return value.number.real;
  }
  return std::nullopt;
}

/// Returns the position of the field with a name of either form, or the number of fields.
/// `guess`: the one that most likely comes.
size_t PositionOf(const MessageShape& shape, std::string_view key, size_t guess) {
  const size_t count = shape.fields.size();
  for (size_t i = 0; i < count; ++i) {
    const size_t at = guess + i < count ? guess + i : guess + i - count;
    if (key == shape.fields[at].json_name.view() || key == shape.fields[at].name) {
      return at;
    }
  }
  return count;
}

std::string_view KindName(JsonKind kind) {
  constexpr std::array<std::string_view, 7> kNames = {
      "nothing", "null", "a boolean", "a number", "a text", "an array", "an object"};
  return kNames[static_cast<size_t>(kind)];
}

}  // namespace

/// Writes one request while it is read. Functions return false when they have set the problem, or
/// the scanner has an error.
class JsonTranscoder::Writer {
 public:
  Writer(std::string_view json, JsonTranscoder* owner)
      : in_(json, JsonDepthOf(owner->max_value_depth_)),
        out_(&owner->buffer_),
        max_value_depth_(owner->max_value_depth_),
        unknown_(&owner->unknown_) {}

  bool WriteRequest(const MessageShape& shape) { return WriteMessage(shape, 0) && in_.ReadEnd(); }

  std::string_view written() const { return out_.written(); }
  std::string error() const { return path_.empty() ? problem_ : path_ + ": " + problem_; }
  int64_t num_lone_surrogates() const { return in_.num_lone_surrogates(); }

 private:
  struct SeenFields {
    static_assert(MessageShape::kMaxNumber <= 32);
    uint32_t bits = 0;  // by the position of the field
    bool has_choice = false;
  };

  bool WriteMessage(const MessageShape& shape, int value_depth) {
    if (const JsonKind kind = in_.Peek(); kind != JsonKind::kObject) {
      return Fail(kind, "an object");
    }
    if (!in_.Open()) {
      return false;
    }
    SeenFields seen;
    size_t guess = 0;
    for (bool is_first = true;; is_first = false) {
      switch (in_.Next('}', is_first)) {
        case JsonScanner::Step::kEnd:
          return true;
        case JsonScanner::Step::kError:
          return false;
        case JsonScanner::Step::kItem:
          break;
      }
      if (!WriteMember(shape, value_depth, &seen, &guess)) {
        return false;
      }
    }
  }

  bool WriteMember(const MessageShape& shape, int value_depth, SeenFields* seen, size_t* guess) {
    std::string_view key;
    if (!in_.ReadKey(&key)) {
      return false;
    }
    const JsonKind kind = in_.Peek();
    if (kind == JsonKind::kNull) {
      return in_.ReadNull();
    }
    const size_t at = PositionOf(shape, key, *guess);
    if (at == shape.fields.size()) {
      unknown_->AddKey(shape, key);
      return in_.Skip();
    }
    *guess = at + 1;
    const FieldShape& field = shape.fields[at];
    const bool is_camel = key == field.json_name.view();
    if (!IsFirst(at, field, seen) || !WriteField(shape, field, kind, value_depth)) {
      Prepend(std::string(is_camel ? field.json_name.view() : field.name));
      return false;
    }
    return true;
  }

  /// Of a key that stands twice all but one would be lost, and of two members of a oneof one.
  bool IsFirst(size_t position, const FieldShape& field, SeenFields* seen) {
    const uint32_t bit = uint32_t{1} << position;
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

  bool Fail(JsonKind found, std::string_view expected) {
    problem_ = fmt::format("found {}, expected {}", KindName(found), expected);
    return false;
  }
  void Prepend(const std::string& step) {
    path_ = path_.empty() ? step : path_[0] == '[' ? step + path_ : step + "." + path_;
  }

  bool WriteField(const MessageShape& shape, const FieldShape& field, JsonKind kind,
                  int value_depth) {
    if (field.presence != Presence::kRepeated) {
      return WriteValue(shape, field, kind, value_depth);
    }
    if (kind != JsonKind::kArray) {
      return Fail(kind, "an array");
    }
    if (!in_.Open()) {
      return false;
    }
    for (size_t position = 0;; ++position) {
      switch (in_.Next(']', position == 0)) {
        case JsonScanner::Step::kEnd:
          return true;
        case JsonScanner::Step::kError:
          return false;
        case JsonScanner::Step::kItem:
          break;
      }
      if (!WriteValue(shape, field, in_.Peek(), value_depth)) {
        Prepend(fmt::format("[{}]", position));
        return false;
      }
    }
  }

  bool WriteValue(const MessageShape& shape, const FieldShape& field, JsonKind kind,
                  int value_depth) {
    const Field target = field.field();
    switch (field.kind) {
      case WireKind::kString: {
        std::string_view text;
        if (kind != JsonKind::kText) {
          return Fail(kind, "a text");
        }
        if (!in_.ReadText(&text)) {
          return false;
        }
        out_.String(target, text);
        return true;
      }
      case WireKind::kBytes:
        return WriteBytes(field, kind);
      case WireKind::kMessage: {
        const bool is_container = &shape == &kAnyValueShape;
        if (is_container && value_depth == max_value_depth_) {
          problem_ = fmt::format("found a value deeper than {} arrays and maps, expected less",
                                 max_value_depth_);
          return false;
        }
        if (level_ == kMaxMessageDepth) {
          problem_ = fmt::format("found more than {} messages inside each other, expected no more",
                                 kMaxMessageDepth);
          return false;
        }
        bool ok = false;
        ++level_;
        out_.Message(target, field.expect, [&] {
          ok = WriteMessage(*field.message, value_depth + (is_container ? 1 : 0));
        });
        --level_;
        return ok;
      }
      case WireKind::kBool: {
        bool boolean = false;
        if (kind != JsonKind::kBool) {
          return Fail(kind, "true or false");
        }
        if (!in_.ReadBool(&boolean)) {
          return false;
        }
        out_.Bool(target, boolean);
        return true;
      }
      case WireKind::kDouble: {
        constexpr std::string_view kExpected = "a number, or one of NaN, Infinity and -Infinity";
        Scalar scalar;
        if (!ReadScalar(kind, kExpected, &scalar)) {
          return false;
        }
        const auto real = DoubleOf(scalar);
        if (!real) {
          return Fail(kind, kExpected);
        }
        out_.Double(target, *real);
        return true;
      }
      default:
        return WriteInteger(field, kind);
    }
  }

  bool ReadScalar(JsonKind kind, std::string_view expected, Scalar* scalar) {
    scalar->kind = kind;
    if (kind == JsonKind::kText) {
      return in_.ReadText(&scalar->text);
    }
    return kind == JsonKind::kNumber ? in_.ReadNumber(&scalar->number) : Fail(kind, expected);
  }

  template <typename T>
  bool FailRange(JsonKind kind) {
    return Fail(kind, fmt::format("a whole number from {} to {}", std::numeric_limits<T>::min(),
                                  std::numeric_limits<T>::max()));
  }

  template <typename T, typename Write>
  bool WriteNumber(JsonKind kind, const Write& write) {
    if (kind != JsonKind::kNumber && kind != JsonKind::kText) {
      return FailRange<T>(kind);
    }
    Scalar scalar;
    if (!ReadScalar(kind, "", &scalar)) {
      return false;
    }
    const auto number = IntegerOf<T>(scalar);
    if (!number) {
      return FailRange<T>(kind);
    }
    write(*number);
    return true;
  }

  /// Numbers that there is no name for are kept: they come from a newer definition.
  bool WriteEnum(const FieldShape& field, JsonKind kind) {
    if (kind != JsonKind::kNumber && kind != JsonKind::kText) {
      return FailRange<int32_t>(kind);
    }
    Scalar scalar;
    if (!ReadScalar(kind, "", &scalar)) {
      return false;
    }
    auto number = IntegerOf<int32_t>(scalar);
    for (size_t i = 0; !number && kind == JsonKind::kText && i < field.names.size(); ++i) {
      if (field.names[i].name == scalar.text) {
        number = field.names[i].number;
      }
    }
    if (!number && kind == JsonKind::kText) {
      problem_ = fmt::format("found another text, expected a whole number, or a name as {}",
                             field.names.back().name);
      return false;
    }
    if (!number) {
      return FailRange<int32_t>(kind);
    }
    out_.Enum(field.field(), *number);
    return true;
  }

  bool WriteInteger(const FieldShape& field, JsonKind kind) {
    const Field target = field.field();
    if (!field.names.empty()) {
      return WriteEnum(field, kind);
    }
    switch (field.kind) {
      case WireKind::kUInt:
        if (field.presence == Presence::kRepeated) {  // bucket_counts, all of 64 bits
          return WriteNumber<uint64_t>(
              kind, [&](uint64_t number) { out_.Int64(target, static_cast<int64_t>(number)); });
        }
        return WriteNumber<uint32_t>(kind, [&](uint32_t number) { out_.UInt32(target, number); });
      case WireKind::kInt:  // int_value; the others are enums
        return WriteNumber<int64_t>(kind, [&](int64_t number) { out_.Int64(target, number); });
      case WireKind::kSInt:
        return WriteNumber<int32_t>(kind, [&](int32_t number) { out_.SInt32(target, number); });
      case WireKind::kFixed32:
        return WriteNumber<uint32_t>(kind, [&](uint32_t number) { out_.Fixed32(target, number); });
      case WireKind::kFixed64:
        return WriteNumber<uint64_t>(kind, [&](uint64_t number) { out_.Fixed64(target, number); });
      case WireKind::kSFixed64:
        return WriteNumber<int64_t>(kind, [&](int64_t number) { out_.SFixed64(target, number); });
      default:
        return Fail(kind, "a number");
    }
  }

  bool WriteBytes(const FieldShape& field, JsonKind kind) {
    const std::string_view expected = field.is_id ? "a text of hex digits" : "a text in base64";
    std::string_view text;
    if (kind != JsonKind::kText) {
      return Fail(kind, expected);
    }
    if (!in_.ReadText(&text)) {
      return false;
    }
    if (!(field.is_id ? FromHex(text, &bytes_) : FromBase64(text, &bytes_))) {
      problem_ = fmt::format("found another text, expected {}", expected);
      return false;
    }
    out_.Bytes(field.field(), bytes_);
    return true;
  }

  JsonScanner in_;
  ProtoWriter out_;
  int max_value_depth_;
  UnknownFields* unknown_;
  int level_ = 0;
  std::string bytes_;
  std::string path_;
  std::string problem_;
};

arrow::Result<std::string_view> JsonTranscoder::Transcode(const MessageShape& shape,
                                                          std::string_view json) {
  unknown_.Clear();
  Writer writer(json, this);
  if (writer.WriteRequest(shape)) {
    num_lone_surrogates_ = writer.num_lone_surrogates();
    return writer.written();
  }
  // That it is no JSON at all is said before what is wrong with a value.
  JsonScanner scanner(json, JsonDepthOf(max_value_depth_));
  if (!scanner.Skip() || !scanner.ReadEnd()) {
    return arrow::Status::Invalid(
        fmt::format("found no JSON, expected an object: {}", scanner.error()));
  }
  return arrow::Status::Invalid(writer.error());
}

}  // namespace df::otlp
