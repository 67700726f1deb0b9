#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include <arrow/util/base64.h>
#include <fmt/format.h>

#include "base/text.h"
#include "select/value.h"

namespace df::select {
namespace {

/// The Collector writes bodies with one encoder of JSON and arguments of functions with another:
/// the former writes 1e-7 and "<", the latter 1e-07 and "\\u003c".
enum class Encoder : uint8_t { kOfBodies, kOfArguments };

/// Writes the shortest digits that read back as the same number, as encoders of JSON in Go do:
/// zeros stand for the others.
std::string WriteDouble(double number, Encoder encoder) {
  char buffer[64];
  const auto end =
      std::to_chars(buffer, buffer + sizeof(buffer), number, std::chars_format::scientific);
  std::string text(buffer, end.ptr);  // as in -1.25e+07
  const double size = std::abs(number);
  if (size != 0 && (size < 1e-6 || size >= 1e21)) {
    if (const size_t at = text.find("e-0");
        at != std::string::npos && encoder == Encoder::kOfBodies) {
      text.erase(at + 2, 1);
    }
    return text;
  }
  const size_t at = text.find('e');
  const int exponent = std::atoi(text.c_str() + at + 1);
  const std::string sign = text.front() == '-' ? "-" : "";
  std::string digits;
  for (const char c : text.substr(0, at)) {
    digits += c >= '0' && c <= '9' ? std::string(1, c) : "";
  }
  if (exponent < 0) {
    return sign + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  }
  const size_t num_whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= num_whole) {
    return sign + digits + std::string(num_whole - digits.size(), '0');
  }
  return sign + digits.substr(0, num_whole) + "." + digits.substr(num_whole);
}

/// Writes JSON as encoders in Go do, with sorted keys.
class JsonText {
 public:
  explicit JsonText(Encoder encoder) : encoder_(encoder) {}

  /// Returns false where a value has no such form.
  bool Write(const Value& value) {
    if (const auto* truth = value.As<bool>()) {
      text_ += *truth ? "true" : "false";
    } else if (const auto* integer = value.As<int64_t>()) {
      text_ += fmt::format("{}", *integer);
    } else if (const auto* number = value.As<double>()) {
      if (!std::isfinite(*number)) {
        return false;
      }
      text_ += WriteDouble(*number, encoder_);
    } else if (const auto* found = value.As<Text>()) {
      WriteText(found->view());
    } else if (const auto* bytes = value.As<Bytes>()) {
      text_ += '"' + arrow::util::base64_encode(bytes->view()) + '"';
    } else if (const List* list = value.list(); list != nullptr) {
      return WriteList(*list);
    } else if (const Map* map = value.map(); map != nullptr) {
      return WriteMap(*map);
    } else if (value.is_nil()) {
      text_ += "null";
    } else {
      return false;
    }
    return true;
  }

  std::string Take() { return std::move(text_); }

 private:
  bool WriteList(const List& list) {
    text_ += '[';
    bool is_whole = true;
    for (size_t i = 0; i < list.size() && is_whole; ++i) {
      text_ += i == 0 ? "" : ",";
      is_whole = Write(list[i]);
    }
    text_ += ']';
    return is_whole;
  }

  bool WriteMap(const Map& map) {
    std::vector<const std::pair<std::string, Value>*> ordered;
    for (const auto& entry : map) {
      ordered.push_back(&entry);
    }
    std::stable_sort(ordered.begin(), ordered.end(),
                     [](const auto* a, const auto* b) { return a->first < b->first; });
    text_ += '{';
    bool is_whole = true;
    for (size_t i = 0; i < ordered.size() && is_whole; ++i) {
      text_ += i == 0 ? "" : ",";
      WriteText(ordered[i]->first);
      text_ += ':';
      is_whole = Write(ordered[i]->second);
    }
    text_ += '}';
    return is_whole;
  }

  void WriteText(std::string_view text) {
    std::string valid;
    AppendReplacingInvalidUtf8(text, &valid);
    text_ += '"';
    for (size_t i = 0; i < valid.size(); ++i) {
      const char c = valid[i];
      const std::string_view rest = std::string_view(valid).substr(i);
      if (c == '"' || c == '\\') {
        text_ += '\\';
        text_ += c;
      } else if (c == '\n') {
        text_ += "\\n";
      } else if (c == '\r') {
        text_ += "\\r";
      } else if (c == '\t') {
        text_ += "\\t";
      } else if (c == '\b') {
        text_ += "\\b";
      } else if (c == '\f') {
        text_ += "\\f";
      } else if (static_cast<uint8_t>(c) < 0x20 ||
                 (encoder_ == Encoder::kOfArguments && (c == '<' || c == '>' || c == '&'))) {
        text_ += fmt::format("\\u{:04x}", static_cast<int>(c));
      } else if (rest.starts_with("\xE2\x80\xA8") || rest.starts_with("\xE2\x80\xA9")) {
        text_ += rest[2] == '\xA8' ? "\\u2028" : "\\u2029";
        i += 2;
      } else {
        text_ += c;
      }
    }
    text_ += '"';
  }

  Encoder encoder_;
  std::string text_;
};

Value WriteJson(const Value& value, Encoder encoder) {
  JsonText json(encoder);
  return json.Write(value) ? MakeText(json.Take())
                           : Fail(fmt::format("{} has no form as text", KindName(value)));
}

}  // namespace

std::string ToHex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    text += fmt::format("{:02x}", static_cast<uint8_t>(byte));
  }
  return text;
}

Value ToText(const Value& value) {
  if (value.is_nil() || value.As<Text>() != nullptr || value.As<Failure>() != nullptr) {
    return value;
  }
  if (const auto* bytes = value.As<Bytes>()) {
    return MakeText(ToHex(bytes->view()));
  }
  return WriteJson(value, Encoder::kOfArguments);
}

Value BodyText(const Value& value) {
  if (value.is_nil()) {
    return MakeText("");
  }
  if (const auto* bytes = value.As<Bytes>()) {
    return MakeText(arrow::util::base64_encode(bytes->view()));
  }
  if (const auto* number = value.As<double>(); number != nullptr && !std::isfinite(*number)) {
    return MakeText(std::isnan(*number) ? "NaN" : *number > 0 ? "Infinity" : "-Infinity");
  }
  if (value.As<Text>() != nullptr || value.As<Failure>() != nullptr) {
    return value;
  }
  Value text = WriteJson(value, Encoder::kOfBodies);
  return text.As<Failure>() != nullptr ? MakeText("") : text;
}

}  // namespace df::select
