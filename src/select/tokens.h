// The words of a condition.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "select/syntax.h"

namespace df::select {

enum class TokenKind : uint8_t {
  kEnd,
  kInteger,
  kFloat,
  kBytes,       ///< 0x..
  kText,        ///< "..", `text` has the quotes
  kLowercase,   ///< a field of a path, or a keyword
  kUppercase,   ///< an enum
  kFunction,    ///< begins with a capital letter and has small ones
  kComparison,  ///< == != < <= > >=
  kPlus,
  kMinus,
  kTimes,
  kDivide,
  kAssign,
  kOpenParenthesis,
  kCloseParenthesis,
  kOpenBracket,
  kCloseBracket,
  kOpenBrace,
  kCloseBrace,
  kComma,
  kDot,
  kColon,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;  ///< borrowed from the condition
  Position position;
};

/// Cuts a text into words, the last of which is kEnd. Errors: Invalid at what is no word.
Result<std::vector<Token>> Tokenise(std::string_view text);

/// Returns what a quoted text says. Errors: Invalid for an unknown escape.
Result<std::string> Unquote(const Token& token);

}  // namespace df::select
