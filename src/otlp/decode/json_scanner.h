// Reads JSON value by value where it stands, without a tree.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace df::otlp {

enum class JsonKind : uint8_t { kNone, kNull, kBool, kNumber, kText, kArray, kObject };

/// Whole numbers without sign are kUnsigned, those with one kSigned; what fits neither is kReal.
struct JsonNumber {
  enum class Kind : uint8_t { kUnsigned, kSigned, kReal };
  Kind kind = Kind::kUnsigned;
  uint64_t magnitude = 0;   ///< kUnsigned
  int64_t integer = 0;      ///< kSigned; "-0" is one
  double real = 0;          ///< kReal: the nearest there is
  std::string_view digits;  ///< kReal: as it is written; borrows the text
};

/// Takes what RFC 8259 calls JSON, in UTF-8, with or without a byte order mark. Functions that
/// return a bool return false where the text is something else; error() says where then, and the
/// scanner is of no more use. Half a surrogate pair becomes U+FFFD and is counted.
/// Cost: linear in the text. Owner: borrows the text; what it returns borrows the text or the
/// scanner, until the next text is read.
class JsonScanner {
 public:
  JsonScanner(std::string_view text, size_t max_depth);

  /// Says what stands here, behind blanks; kNone where no value begins. Reads nothing.
  JsonKind Peek() {
    SkipBlanks();
    return cursor_ == end_ ? JsonKind::kNone : kKinds[static_cast<uint8_t>(*cursor_)];
  }

  bool ReadNull() { return ReadWord("null"); }
  bool ReadBool(bool* value);
  bool ReadNumber(JsonNumber* number);
  bool ReadText(std::string_view* text);
  /// Reads a text and the colon behind it.
  bool ReadKey(std::string_view* key);

  /// Enters the array or object that stands here.
  bool Open();
  enum class Step : uint8_t { kItem, kEnd, kError };
  /// Goes to the next item of an array (`close` is ']') or object ('}'), or out of it. `is_first`:
  /// it was just opened.
  Step Next(char close, bool is_first) {
    SkipBlanks();
    if (cursor_ != end_ && *cursor_ == ',' && !is_first) {
      ++cursor_;
      return Step::kItem;
    }
    if (cursor_ != end_ && *cursor_ == close) {
      ++cursor_;
      --depth_;
      return Step::kEnd;
    }
    return is_first ? Step::kItem : FailNext(close);
  }

  /// Reads whatever value stands here, of any size, and checks it.
  bool Skip();
  /// Nothing but blanks may be left.
  bool ReadEnd();

  /// "at line 3, column 7: found '}', expected a value"; lines and bytes in them, from 1.
  const std::string& error() const { return error_; }
  int64_t num_lone_surrogates() const { return num_lone_surrogates_; }

 private:
  static constexpr std::array<JsonKind, 256> kKinds = [] {
    std::array<JsonKind, 256> kinds{};
    kinds['"'] = JsonKind::kText;
    kinds['{'] = JsonKind::kObject;
    kinds['['] = JsonKind::kArray;
    kinds['t'] = JsonKind::kBool;
    kinds['f'] = JsonKind::kBool;
    kinds['n'] = JsonKind::kNull;
    kinds['-'] = JsonKind::kNumber;
    for (size_t digit = '0'; digit <= '9'; ++digit) {
      kinds[digit] = JsonKind::kNumber;
    }
    return kinds;
  }();

  void SkipBlanks() {
    // Few senders write any.
    if (cursor_ != end_ && static_cast<uint8_t>(*cursor_) <= ' ') {
      SkipSomeBlanks();
    }
  }
  void SkipSomeBlanks();
  Step FailNext(char close);
  bool ReadWord(std::string_view word);
  bool SkipScalar(JsonKind kind);
  /// The rest of a text from its first escape on; `begin` is where it begins.
  bool ReadEscaped(const char* begin, std::string_view* text);
  bool ReadEscape();
  bool ReadHexUnit(uint32_t* unit);
  bool ReadUnicode();
  bool ReadReal(std::string_view digits, JsonNumber* number);
  void AppendCodePoint(uint32_t code);
  bool CheckUtf8(const char* begin, std::string_view text);
  bool Fail(const char* at, std::string_view found, std::string_view expected);
  /// What stands here is not what is expected.
  bool FailHere(std::string_view expected);

  const char* begin_;
  const char* cursor_;
  const char* end_;
  size_t max_depth_;
  size_t depth_ = 0;
  int64_t num_lone_surrogates_ = 0;
  std::string unescaped_;
  std::string skipped_;  // what closes the arrays and objects that Skip is in
  std::string error_;
};

}  // namespace df::otlp
