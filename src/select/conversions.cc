#include "select/conversions.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <clocale>
#include <cmath>
#include <cstdlib>
#include <cwctype>

#include <fmt/format.h>
#include <locale.h>

#include "base/text.h"

namespace df::select {
namespace {

/// 2^63, the first double that does not fit.
constexpr double kBeyondInteger = 9223372036854775808.0;

std::string BigEndian(uint64_t bits) {
  std::string bytes(8, '\0');
  for (size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<char>(bits >> (56 - 8 * i) & 0xFF);
  }
  return bytes;
}

/// The case of all letters of Unicode; the classic one where the system lacks that.
locale_t UnicodeLocale() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}

uint32_t Decode(std::string_view character) {
  static constexpr std::array<uint8_t, 5> kMasks = {0, 0x7F, 0x1F, 0x0F, 0x07};
  uint32_t point = static_cast<uint8_t>(character[0]) & kMasks[character.size()];
  for (size_t i = 1; i < character.size(); ++i) {
    point = point << 6 | (static_cast<uint8_t>(character[i]) & 0x3F);
  }
  return point;
}

}  // namespace

Value ReadInteger(const Value& value) {
  if (value.is_nil() || value.As<int64_t>() != nullptr) {
    return value;
  }
  if (const auto* truth = value.As<bool>()) {
    return {int64_t{*truth ? 1 : 0}};
  }
  if (const auto* number = value.As<double>()) {
    if (!(*number >= -kBeyondInteger && *number < kBeyondInteger)) {
      return Fail(fmt::format("Int: found {}, which does not fit 64 bits", *number));
    }
    return {static_cast<int64_t>(*number)};
  }
  if (const auto* text = value.As<Text>()) {
    std::string_view digits = text->view();
    if (digits.starts_with('+') && digits.size() > 1 && digits[1] != '-') {
      digits.remove_prefix(1);
    }
    int64_t number = 0;
    const char* end = digits.data() + digits.size();
    const auto read = std::from_chars(digits.data(), end, number);
    return read.ec == std::errc() && read.ptr == end
               ? Value{number}
               : Fail(fmt::format("Int: found '{}', which is no integer of 64 bits",
                                  PrintableText(text->view())));
  }
  return Fail(fmt::format("Int: found {}", KindName(value)));
}

Value ReadDouble(const Value& value) {
  if (value.is_nil() || value.As<double>() != nullptr) {
    return value;
  }
  if (const auto* integer = value.As<int64_t>()) {
    return {static_cast<double>(*integer)};
  }
  if (const auto* truth = value.As<bool>()) {
    return {*truth ? 1.0 : 0.0};
  }
  if (const auto* text = value.As<Text>()) {
    const std::string copy(text->view());
    char* end = nullptr;
    const double number = std::strtod(copy.c_str(), &end);
    const bool is_blank = copy.empty() || std::isspace(static_cast<unsigned char>(copy[0])) != 0;
    const bool is_beyond =
        std::isinf(number) && copy.find_first_of("0123456789") != std::string::npos;
    // strtod takes more than Go does: 0x10 without an exponent, and nan(..).
    const bool is_foreign =
        copy.find('(') != std::string::npos || (copy.find_first_of("xX") != std::string::npos &&
                                                copy.find_first_of("pP") == std::string::npos);
    if (is_blank || is_beyond || is_foreign || end != copy.c_str() + copy.size()) {
      return Fail(fmt::format("Double: found '{}', which is no number", PrintableText(copy)));
    }
    return {number};
  }
  return Fail(fmt::format("Double: found {}", KindName(value)));
}

Value ReadDuration(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, double>, 8> kUnits = {{{"ns", 1},
                                                                                 {"us", 1e3},
                                                                                 {"\xC2\xB5s", 1e3},
                                                                                 {"\xCE\xBCs", 1e3},
                                                                                 {"ms", 1e6},
                                                                                 {"s", 1e9},
                                                                                 {"m", 60e9},
                                                                                 {"h", 3600e9}}};
  const auto fail = [text] {
    return Fail(fmt::format("Duration: found '{}', expected a duration like 1h30m or 1.5s",
                            PrintableText(text)));
  };
  std::string_view rest = text;
  const bool is_negative = rest.starts_with('-');
  if (is_negative || rest.starts_with('+')) {
    rest.remove_prefix(1);
  }
  if (rest == "0") {
    return {Duration{0}};
  }
  if (rest.empty()) {
    return fail();
  }
  long double nanos = 0;
  while (!rest.empty()) {
    const size_t digits = rest.find_first_not_of("0123456789.");
    const std::string number(rest.substr(0, digits));
    const size_t num_points = static_cast<size_t>(std::count(number.begin(), number.end(), '.'));
    if (digits == std::string_view::npos || num_points > 1 || number.size() == num_points) {
      return fail();
    }
    rest.remove_prefix(digits);
    const size_t unit_size = std::min(rest.find_first_of("0123456789."), rest.size());
    const auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const auto& known) {
      return known.first == rest.substr(0, unit_size);
    });
    if (unit == kUnits.end()) {
      return fail();
    }
    rest.remove_prefix(unit_size);
    nanos += std::strtold(number.c_str(), nullptr) * unit->second;
  }
  if (nanos >= kBeyondInteger) {
    return fail();
  }
  const auto whole = static_cast<int64_t>(nanos);
  return {Duration{is_negative ? -whole : whole}};
}

Value ReadId(const Value& value, size_t num_bytes, std::string_view function) {
  std::string_view bytes;
  std::string of_number;
  if (const auto* text = value.As<Text>()) {
    bytes = text->view();
  } else if (const auto* integer = value.As<int64_t>()) {
    of_number = BigEndian(static_cast<uint64_t>(*integer));
    bytes = of_number;
  } else if (const auto* number = value.As<double>()) {
    of_number = BigEndian(std::bit_cast<uint64_t>(*number));
    bytes = of_number;
  } else if (const auto* found = value.As<Bytes>()) {
    bytes = found->view();
  } else if (value.As<Id>() != nullptr && value.As<Id>()->view().size() == num_bytes) {
    return value;
  } else {
    return Fail(fmt::format("{}: found {}, expected bytes or text", function, KindName(value)));
  }
  if (bytes.size() == num_bytes) {
    return {Id{Chars::Own(std::string(bytes))}};
  }
  std::string id;
  for (size_t i = 0; bytes.size() == 2 * num_bytes && i < bytes.size(); i += 2) {
    uint8_t byte = 0;
    const auto read = std::from_chars(bytes.data() + i, bytes.data() + i + 2, byte, 16);
    if (read.ptr != bytes.data() + i + 2) {
      break;
    }
    id.push_back(static_cast<char>(byte));
  }
  if (id.size() != num_bytes) {
    return Fail(fmt::format("{}: found {} bytes, expected {} or as many in hexadecimal", function,
                            bytes.size(), num_bytes));
  }
  return {Id{Chars::Own(std::move(id))}};
}

Value WriteHex(const Value& value) {
  if (value.is_nil()) {
    return MakeText("");
  }
  if (const auto* text = value.As<Text>()) {
    return MakeText(ToHex(text->view()));
  }
  if (const auto* bytes = value.As<Bytes>()) {
    return MakeText(ToHex(bytes->view()));
  }
  if (const auto* integer = value.As<int64_t>()) {
    return MakeText(ToHex(BigEndian(static_cast<uint64_t>(*integer))));
  }
  if (const auto* number = value.As<double>()) {
    return MakeText(ToHex(BigEndian(std::bit_cast<uint64_t>(*number))));
  }
  if (const auto* truth = value.As<bool>()) {
    return MakeText(*truth ? "01" : "00");
  }
  return Fail(fmt::format("Hex: found {}", KindName(value)));
}

std::string ChangeCase(std::string_view text, bool to_upper) {
  std::string changed;
  for (size_t i = 0; i < text.size();) {
    const std::string_view character = text.substr(i, CharacterSize(text.substr(i)));
    i += character.size();
    if (character.size() == 1 || UnicodeLocale() == nullptr) {
      const char c = character[0];
      const bool is_letter = to_upper ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z';
      changed += is_letter ? std::string(1, static_cast<char>(c ^ 0x20)) : std::string(character);
      continue;
    }
    const auto point = static_cast<wint_t>(Decode(character));
    const wint_t other =
        to_upper ? towupper_l(point, UnicodeLocale()) : towlower_l(point, UnicodeLocale());
    if (other == point) {
      changed += character;
    } else {
      AppendUtf8(static_cast<uint32_t>(other), &changed);
    }
  }
  return changed;
}

size_t CharacterSize(std::string_view text) {
  for (size_t size = 1; size <= 4 && size <= text.size(); ++size) {
    if (IsValidUtf8(text.substr(0, size))) {
      return size;
    }
  }
  return 1;
}

}  // namespace df::select
