#include "base/text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <limits>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace df {
namespace {

struct Unit {
  std::string_view name;
  int64_t factor;
};

constexpr std::array<Unit, 8> kDurationUnits = {{{"ns", 1},
                                                 {"us", 1'000},
                                                 {"ms", 1'000'000},
                                                 {"s", 1'000'000'000},
                                                 {"m", 60'000'000'000},
                                                 {"min", 60'000'000'000},
                                                 {"h", 3'600'000'000'000},
                                                 {"d", 86'400'000'000'000}}};

constexpr std::array<Unit, 9> kSizeUnits = {{{"B", 1},
                                             {"KiB", int64_t{1} << 10},
                                             {"MiB", int64_t{1} << 20},
                                             {"GiB", int64_t{1} << 30},
                                             {"TiB", int64_t{1} << 40},
                                             {"KB", 1'000},
                                             {"MB", 1'000'000},
                                             {"GB", 1'000'000'000},
                                             {"TB", 1'000'000'000'000}}};

/// Reads one "<number><unit>" piece off the front of `text` and returns its value in the base unit.
template <size_t N>
arrow::Result<int64_t> TakePiece(std::string_view whole, std::string_view* text,
                                 const std::array<Unit, N>& units, std::string_view what) {
  std::string names;
  for (const Unit& unit : units) {
    names += fmt::format("{}{}", names.empty() ? "" : " ", unit.name);
  }
  auto fail = [&](std::string_view why) {
    return arrow::Status::Invalid(
        fmt::format("'{}' is not a {}: {}; units are {}", whole, what, why, names));
  };
  int64_t number = 0;
  const auto [number_end, error] =
      std::from_chars(text->data(), text->data() + text->size(), number);
  if (error == std::errc::result_out_of_range) {
    return fail("the number is too large");
  }
  if (error != std::errc() || number < 0) {
    return fail("expected a whole number that is not negative");
  }
  text->remove_prefix(static_cast<size_t>(number_end - text->data()));
  while (!text->empty() && text->front() == ' ') {
    text->remove_prefix(1);
  }
  size_t length = 0;
  while (length < text->size() && std::isalpha(static_cast<unsigned char>((*text)[length])) != 0) {
    ++length;
  }
  const std::string_view name = text->substr(0, length);
  const auto unit =
      std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == name; });
  if (unit == units.end()) {
    return fail(name.empty() ? "a unit is missing" : fmt::format("unknown unit '{}'", name));
  }
  text->remove_prefix(length);
  if (number > std::numeric_limits<int64_t>::max() / unit->factor) {
    return fail("the value is too large");
  }
  return number * unit->factor;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
  while (!text.empty() && text.back() == ' ') {
    text.remove_suffix(1);
  }
  return text;
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replace, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

/// Returns the length of the valid UTF-8 sequence at the front of `text`, or 0.
size_t Utf8SequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) {
    return 1;
  }
  size_t length = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    low = lead == 0xE0 ? 0xA0 : 0x80;
    high = lead == 0xED ? 0x9F : 0xBF;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    low = lead == 0xF0 ? 0x90 : 0x80;
    high = lead == 0xF4 ? 0x8F : 0xBF;
  } else {
    return 0;
  }
  if (text.size() < length || byte(1) < low || byte(1) > high) {
    return 0;
  }
  for (size_t i = 2; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xBF) {
      return 0;
    }
  }
  return length;
}

}  // namespace

arrow::Result<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  std::string_view rest = Trim(text);
  if (rest == "0") {
    return std::chrono::nanoseconds(0);
  }
  int64_t total = 0;
  do {
    ARROW_ASSIGN_OR_RAISE(const int64_t piece, TakePiece(text, &rest, kDurationUnits, "duration"));
    if (__builtin_add_overflow(total, piece, &total)) {
      return arrow::Status::Invalid(
          fmt::format("'{}' is not a duration: the value is too large", text));
    }
    rest = Trim(rest);
  } while (!rest.empty());
  return std::chrono::nanoseconds(total);
}

std::string FormatDuration(std::chrono::nanoseconds duration) {
  constexpr std::array<Unit, 7> kLargestFirst = {{{"d", 86'400'000'000'000},
                                                  {"h", 3'600'000'000'000},
                                                  {"m", 60'000'000'000},
                                                  {"s", 1'000'000'000},
                                                  {"ms", 1'000'000},
                                                  {"us", 1'000},
                                                  {"ns", 1}}};
  int64_t rest = duration.count();
  std::string text;
  for (const Unit& unit : kLargestFirst) {
    if (rest / unit.factor != 0) {
      text += fmt::format("{}{}", rest / unit.factor, unit.name);
      rest %= unit.factor;
    }
  }
  return text.empty() ? "0s" : text;
}

arrow::Result<int64_t> ParseSize(std::string_view text) {
  std::string_view rest = Trim(text);
  int64_t plain = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), plain);
  if (error == std::errc() && end == rest.data() + rest.size() && plain >= 0) {
    return plain;
  }
  ARROW_ASSIGN_OR_RAISE(const int64_t size, TakePiece(text, &rest, kSizeUnits, "size"));
  if (!Trim(rest).empty()) {
    return arrow::Status::Invalid(
        fmt::format("'{}' is not a size: '{}' follows the unit", text, Trim(rest)));
  }
  return size;
}

std::string FormatSize(int64_t size_bytes) {
  constexpr std::array<std::string_view, 5> kNames = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(size_bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kNames.size()) {
    value /= 1024;
    ++unit;
  }
  const bool whole = value == static_cast<double>(static_cast<int64_t>(value));
  return whole ? fmt::format("{}{}", static_cast<int64_t>(value), kNames[unit])
               : fmt::format("{:.1f}{}", value, kNames[unit]);
}

std::string NearestName(std::string_view name, std::span<const std::string> candidates) {
  std::string best;
  size_t best_distance = name.size() / 2 + 1;
  for (const std::string& candidate : candidates) {
    const size_t least =
        std::max(name.size(), candidate.size()) - std::min(name.size(), candidate.size());
    if (least >= best_distance) {
      continue;
    }
    const size_t distance = EditDistance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string PrintableText(std::string_view text) {
  std::string printable;
  while (!text.empty()) {
    const size_t length = Utf8SequenceLength(text);
    const auto lead = static_cast<unsigned char>(text.front());
    if (length == 0 || lead < 0x20 || lead == 0x7F) {
      printable += fmt::format("\\x{:02x}", lead);
      text.remove_prefix(1);
    } else {
      printable.append(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
  return printable;
}

namespace {

/// Tells whether fewer than eight bytes are all ASCII.
bool IsShortAscii(std::string_view text) {
  uint8_t bits = 0;
  for (const char letter : text) {
    bits |= static_cast<uint8_t>(letter);
  }
  return bits < 0x80;
}

}  // namespace

bool IsValidUtf8(std::string_view text) {
  while (!text.empty()) {
    // Eight ASCII bytes at a time: nearly all telemetry text is ASCII.
    uint64_t word = 0;
    if (text.size() >= sizeof(word)) {
      std::copy_n(text.data(), sizeof(word), reinterpret_cast<char*>(&word));
      if ((word & 0x8080808080808080U) == 0) {
        text.remove_prefix(sizeof(word));
        continue;
      }
    } else if (IsShortAscii(text)) {
      return true;
    }
    const size_t length = Utf8SequenceLength(text);
    if (length == 0) {
      return false;
    }
    text.remove_prefix(length);
  }
  return true;
}

void AppendReplacingInvalidUtf8(std::string_view text, std::string* out) {
  while (!text.empty()) {
    const size_t length = Utf8SequenceLength(text);
    if (length == 0) {
      out->append("\xEF\xBF\xBD");
      text.remove_prefix(1);
    } else {
      out->append(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
}

bool EqualsIgnoringCase(std::string_view left, std::string_view right) {
  const auto lower = [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  };
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&](char a, char b) { return lower(a) == lower(b); });
}

void AppendUtf8(uint32_t code_point, std::string* out) {
  const auto put = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3F));
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

}  // namespace df
