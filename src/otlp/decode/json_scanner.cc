#include "otlp/decode/json_scanner.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "base/text.h"

namespace df::otlp {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr uint32_t kReplacement = 0xFFFD;

constexpr uint64_t kOnes = 0x0101010101010101U;
constexpr uint64_t kHighs = 0x8080808080808080U;

/// Sets the high bit of the first byte that ends a run of plain text: a quote, a backslash or a
/// control character. Bytes above it may be wrong.
constexpr uint64_t SpecialBytes(uint64_t word) {
  const auto zeros = [](uint64_t bytes) { return (bytes - kOnes) & ~bytes; };
  const uint64_t controls = (word - kOnes * 0x20) & ~word;
  return (zeros(word ^ kOnes * '"') | zeros(word ^ kOnes * '\\') | controls) & kHighs;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// Moves `*at` to the first quote, backslash or control character, or to `end`. Returns whether it
/// may have passed a byte that is not ASCII.
inline bool SkipPlain(const char** at, const char* end) {
  const char* cursor = *at;
  uint64_t seen = 0;
  while (end - cursor >= 8) {
    uint64_t word = 0;
    std::memcpy(&word, cursor, sizeof(word));
    seen |= word;
    static_assert(std::endian::native == std::endian::little);
    if (const uint64_t special = SpecialBytes(word); special != 0) {
      *at = cursor + std::countr_zero(special) / 8;
      return (seen & kHighs) != 0;
    }
    cursor += sizeof(word);
  }
  for (; cursor != end; ++cursor) {
    const auto byte = static_cast<uint8_t>(*cursor);
    if (byte == '"' || byte == '\\' || byte < 0x20) {
      break;
    }
    seen |= byte;
  }
  *at = cursor;
  return (seen & kHighs) != 0;
}

}  // namespace

JsonScanner::JsonScanner(std::string_view text, size_t max_depth)
    : begin_(text.data()),
      cursor_(begin_ + (text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0)),
      end_(begin_ + text.size()),
      max_depth_(max_depth) {}

void JsonScanner::SkipSomeBlanks() {
  while (cursor_ != end_ &&
         (*cursor_ == ' ' || *cursor_ == '\n' || *cursor_ == '\r' || *cursor_ == '\t')) {
    ++cursor_;
  }
}

bool JsonScanner::Fail(const char* at, std::string_view found, std::string_view expected) {
  const char* line = begin_;
  int64_t number = 1;
  for (const char* c = begin_; c != at; ++c) {
    if (*c == '\n') {
      line = c + 1;
      ++number;
    }
  }
  error_ = fmt::format("at line {}, column {}: found {}, expected {}", number, at - line + 1, found,
                       expected);
  return false;
}

bool JsonScanner::FailHere(std::string_view expected) {
  SkipBlanks();
  if (cursor_ == end_) {
    return Fail(cursor_, "the end of the text", expected);
  }
  const std::string_view rest(cursor_, static_cast<size_t>(end_ - cursor_));
  size_t length = 1;
  while (length < 4 && length < rest.size() &&
         (static_cast<uint8_t>(rest[length]) & 0xC0U) == 0x80) {
    ++length;
  }
  return Fail(cursor_, fmt::format("'{}'", PrintableText(rest.substr(0, length))), expected);
}

bool JsonScanner::ReadWord(std::string_view word) {
  if (static_cast<size_t>(end_ - cursor_) < word.size() ||
      std::memcmp(cursor_, word.data(), word.size()) != 0) {
    return FailHere("a value");
  }
  cursor_ += word.size();
  return true;
}

bool JsonScanner::ReadBool(bool* value) {
  *value = *cursor_ == 't';
  return ReadWord(*value ? "true" : "false");
}

bool JsonScanner::ReadNumber(JsonNumber* number) {
  const char* begin = cursor_;
  const bool is_negative = *cursor_ == '-';
  cursor_ += is_negative ? 1 : 0;
  const char* digits = cursor_;
  constexpr uint64_t kMaxTens = std::numeric_limits<uint64_t>::max() / 10;
  uint64_t magnitude = 0;
  bool fits = true;
  for (; cursor_ != end_ && IsDigit(*cursor_); ++cursor_) {
    const auto digit = static_cast<uint64_t>(*cursor_ - '0');
    fits = fits && magnitude <= kMaxTens &&
           10 * magnitude <= std::numeric_limits<uint64_t>::max() - digit;
    magnitude = 10 * magnitude + digit;
  }
  if (cursor_ == digits) {
    return FailHere("a digit");
  }
  if (*digits == '0' && cursor_ - digits > 1) {
    cursor_ = digits + 1;
    return FailHere("no digit behind a leading zero");
  }
  bool is_whole = true;
  const auto read_digits = [&] {
    const char* first = cursor_;
    while (cursor_ != end_ && IsDigit(*cursor_)) {
      ++cursor_;
    }
    is_whole = false;
    return cursor_ != first || FailHere("a digit");
  };
  if (cursor_ != end_ && *cursor_ == '.') {
    ++cursor_;
    if (!read_digits()) {
      return false;
    }
  }
  if (cursor_ != end_ && (*cursor_ == 'e' || *cursor_ == 'E')) {
    ++cursor_;
    cursor_ += cursor_ != end_ && (*cursor_ == '+' || *cursor_ == '-') ? 1 : 0;
    if (!read_digits()) {
      return false;
    }
  }
  constexpr uint64_t kMinMagnitude = uint64_t{1} << 63U;
  if (is_whole && fits && (!is_negative || magnitude <= kMinMagnitude)) {
    number->kind = is_negative ? JsonNumber::Kind::kSigned : JsonNumber::Kind::kUnsigned;
    number->magnitude = magnitude;
    number->integer = static_cast<int64_t>(0 - magnitude);
    return true;
  }
  return ReadReal({begin, static_cast<size_t>(cursor_ - begin)}, number);
}

bool JsonScanner::ReadReal(std::string_view digits, JsonNumber* number) {
  number->kind = JsonNumber::Kind::kReal;
  number->digits = digits;
  const char* end = digits.data() + digits.size();
  if (std::from_chars(digits.data(), end, number->real).ec == std::errc()) {
    return true;
  }
  // Too large or too near to zero: strtod tells which.
  number->real = std::strtod(std::string(digits).c_str(), nullptr);
  return std::isfinite(number->real) ||
         Fail(digits.data(), "a number past all doubles", "a smaller one");
}

bool JsonScanner::ReadText(std::string_view* text) {
  const char* begin = cursor_ + 1;
  cursor_ = begin;
  const bool has_others = SkipPlain(&cursor_, end_);
  if (cursor_ != end_ && *cursor_ == '"') {
    *text = {begin, static_cast<size_t>(cursor_ - begin)};
    ++cursor_;
    return !has_others || CheckUtf8(begin, *text);
  }
  return ReadEscaped(begin, text);
}

bool JsonScanner::CheckUtf8(const char* begin, std::string_view text) {
  return IsValidUtf8(text) || Fail(begin, "bytes that are not UTF-8", "text");
}

bool JsonScanner::ReadEscaped(const char* begin, std::string_view* text) {
  unescaped_.assign(begin, cursor_);
  while (cursor_ != end_) {
    if (*cursor_ == '"') {
      ++cursor_;
      *text = unescaped_;
      return CheckUtf8(begin, unescaped_);
    }
    if (*cursor_ != '\\') {
      return Fail(cursor_, fmt::format("control character {:#04x}", static_cast<uint8_t>(*cursor_)),
                  "it escaped");
    }
    ++cursor_;
    if (!ReadEscape()) {
      return false;
    }
    const char* run = cursor_;
    SkipPlain(&cursor_, end_);
    unescaped_.append(run, cursor_);
  }
  return FailHere("the quote that ends a text");
}

bool JsonScanner::ReadEscape() {
  if (cursor_ == end_) {
    return FailHere("the quote that ends a text");
  }
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (*cursor_ == 'u') {
    ++cursor_;
    return ReadUnicode();
  }
  const size_t at = kLetters.find(*cursor_);
  if (at == std::string_view::npos) {
    return FailHere("one of \" \\ / b f n r t u behind a backslash");
  }
  unescaped_.push_back(kMeanings[at]);
  ++cursor_;
  return true;
}

bool JsonScanner::ReadHexUnit(uint32_t* unit) {
  constexpr ptrdiff_t kDigits = 4;
  if (end_ - cursor_ >= kDigits) {
    const auto [end, error] = std::from_chars(cursor_, cursor_ + kDigits, *unit, 16);
    // from_chars takes no sign for unsigned numbers.
    if (error == std::errc() && end == cursor_ + kDigits) {
      cursor_ += kDigits;
      return true;
    }
  }
  return FailHere("four hex digits");
}

bool JsonScanner::ReadUnicode() {
  uint32_t unit = 0;
  if (!ReadHexUnit(&unit)) {
    return false;
  }
  const auto is_low = [](uint32_t half) { return half >= 0xDC00 && half < 0xE000; };
  // A first half needs the second one behind it; what stands there instead is read by itself.
  while (unit >= 0xD800 && unit < 0xDC00) {
    if (end_ - cursor_ < 2 || cursor_[0] != '\\' || cursor_[1] != 'u') {
      break;
    }
    cursor_ += 2;
    uint32_t second = 0;
    if (!ReadHexUnit(&second)) {
      return false;
    }
    if (is_low(second)) {
      AppendCodePoint(0x10000 + ((unit - 0xD800) << 10U) + (second - 0xDC00));
      return true;
    }
    ++num_lone_surrogates_;
    AppendCodePoint(kReplacement);
    unit = second;
  }
  const bool is_lone = unit >= 0xD800 && unit < 0xE000;
  num_lone_surrogates_ += is_lone ? 1 : 0;
  AppendCodePoint(is_lone ? kReplacement : unit);
  return true;
}

void JsonScanner::AppendCodePoint(uint32_t code) {
  const auto append = [this](uint32_t byte) { unescaped_.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    append(code);
    return;
  }
  if (code < 0x800) {
    append(0xC0 | code >> 6U);
  } else {
    if (code < 0x10000) {
      append(0xE0 | code >> 12U);
    } else {
      append(0xF0 | code >> 18U);
      append(0x80 | (code >> 12U & 0x3FU));
    }
    append(0x80 | (code >> 6U & 0x3FU));
  }
  append(0x80 | (code & 0x3FU));
}

bool JsonScanner::ReadKey(std::string_view* key) {
  SkipBlanks();
  if (cursor_ == end_ || *cursor_ != '"') {
    return FailHere("a key in quotes");
  }
  if (!ReadText(key)) {
    return false;
  }
  SkipBlanks();
  if (cursor_ == end_ || *cursor_ != ':') {
    return FailHere("a colon behind a key");
  }
  ++cursor_;
  return true;
}

bool JsonScanner::Open() {
  if (depth_ == max_depth_) {
    error_ = fmt::format("found more than {} arrays and objects inside each other", max_depth_);
    return false;
  }
  ++depth_;
  ++cursor_;
  return true;
}

JsonScanner::Step JsonScanner::FailNext(char close) {
  FailHere(close == ']' ? "a comma or ]" : "a comma or }");
  return Step::kError;
}

bool JsonScanner::SkipScalar(JsonKind kind) {
  bool boolean = false;
  JsonNumber number;
  std::string_view text;
  switch (kind) {
    case JsonKind::kNull:
      return ReadNull();
    case JsonKind::kBool:
      return ReadBool(&boolean);
    case JsonKind::kNumber:
      return ReadNumber(&number);
    case JsonKind::kText:
      return ReadText(&text);
    default:
      return FailHere("a value");
  }
}

bool JsonScanner::Skip() {
  skipped_.clear();
  while (true) {
    const JsonKind kind = Peek();
    bool is_first = false;
    if (kind == JsonKind::kArray || kind == JsonKind::kObject) {
      if (!Open()) {
        return false;
      }
      skipped_.push_back(kind == JsonKind::kArray ? ']' : '}');
      is_first = true;
    } else if (!SkipScalar(kind)) {
      return false;
    }
    Step step = Step::kEnd;
    while (!skipped_.empty()) {
      step = Next(skipped_.back(), is_first);
      if (step != Step::kEnd) {
        break;
      }
      skipped_.pop_back();
      is_first = false;
    }
    if (skipped_.empty()) {
      return true;
    }
    std::string_view key;
    if (step == Step::kError || (skipped_.back() == '}' && !ReadKey(&key))) {
      return false;
    }
  }
}

bool JsonScanner::ReadEnd() {
  SkipBlanks();
  return cursor_ == end_ || FailHere("the end of the text");
}

}  // namespace df::otlp
