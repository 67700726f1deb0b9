#include "select/tokens.h"

#include <cctype>

#include <fmt/format.h>

#include "base/text.h"

namespace df::select {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool IsName(char c) { return IsDigit(c) || IsLower(c) || IsUpper(c) || c == '_'; }

class Tokeniser {
 public:
  explicit Tokeniser(std::string_view text) : text_(text) {}

  Result<std::vector<Token>> Run() {
    std::vector<Token> tokens;
    while (true) {
      SkipBlanks();
      const size_t begin = at_;
      const Position position = position_;
      ARROW_ASSIGN_OR_RAISE(const TokenKind kind, ReadOne());
      tokens.push_back({kind, text_.substr(begin, at_ - begin), position});
      for (size_t i = begin; i < at_; ++i) {
        Advance(text_[i]);
      }
      if (kind == TokenKind::kEnd) {
        return tokens;
      }
    }
  }

 private:
  char Peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  void SkipBlanks() {
    for (; at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0; ++at_) {
      Advance(text_[at_]);
    }
  }

  void Advance(char c) {
    position_ = c == '\n' ? Position{position_.line + 1, 1}
                          : Position{position_.line, position_.column + 1};
  }

  TokenKind Take(size_t count, TokenKind kind) {
    at_ += count;
    return kind;
  }

  Result<TokenKind> ReadOne() {
    const char c = Peek();
    if (at_ == text_.size()) {
      return TokenKind::kEnd;
    }
    if (c == '"') {
      return ReadText();
    }
    if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) {
      return ReadNumber();
    }
    if (IsLower(c)) {
      return ReadName(TokenKind::kLowercase);
    }
    if (IsUpper(c)) {
      return ReadName(TokenKind::kUppercase);
    }
    return ReadSign(c);
  }

  Result<TokenKind> ReadSign(char c) {
    const bool is_equal_next = Peek(1) == '=';
    switch (c) {
      case '=':
        return is_equal_next ? Take(2, TokenKind::kComparison) : Take(1, TokenKind::kAssign);
      case '!':
        if (is_equal_next) {
          return Take(2, TokenKind::kComparison);
        }
        break;
      case '<':
      case '>':
        return Take(is_equal_next ? 2 : 1, TokenKind::kComparison);
      case '+':
        return Take(1, TokenKind::kPlus);
      case '-':
        return Take(1, TokenKind::kMinus);
      case '*':
        return Take(1, TokenKind::kTimes);
      case '/':
        return Take(1, TokenKind::kDivide);
      case '(':
        return Take(1, TokenKind::kOpenParenthesis);
      case ')':
        return Take(1, TokenKind::kCloseParenthesis);
      case '[':
        return Take(1, TokenKind::kOpenBracket);
      case ']':
        return Take(1, TokenKind::kCloseBracket);
      case '{':
        return Take(1, TokenKind::kOpenBrace);
      case '}':
        return Take(1, TokenKind::kCloseBrace);
      case ',':
        return Take(1, TokenKind::kComma);
      case '.':
        return Take(1, TokenKind::kDot);
      case ':':
        return Take(1, TokenKind::kColon);
      default:
        break;
    }
    return SyntaxError(position_, fmt::format("found '{}'{}", PrintableText(text_.substr(at_, 1)),
                                              c == '\'' ? ", expected text in double quotes" : ""));
  }

  Result<TokenKind> ReadText() {
    for (size_t i = at_ + 1; i < text_.size(); ++i) {
      if (text_[i] == '\\') {
        ++i;
      } else if (text_[i] == '"') {
        return Take(i + 1 - at_, TokenKind::kText);
      }
    }
    return SyntaxError(position_, "found a text without a closing quote");
  }

  Result<TokenKind> ReadNumber() {
    if (Peek() == '0' && Peek(1) == 'x' && IsHex(Peek(2))) {
      for (at_ += 2; IsHex(Peek()); ++at_) {
      }
      return CheckEnd(TokenKind::kBytes);
    }
    for (; IsDigit(Peek()); ++at_) {
    }
    if (Peek() != '.') {
      return CheckEnd(TokenKind::kInteger);
    }
    for (++at_; IsDigit(Peek()); ++at_) {
    }
    if (Peek() == 'e' || Peek() == 'E') {
      const size_t sign = Peek(1) == '+' || Peek(1) == '-' ? 1 : 0;
      if (IsDigit(Peek(1 + sign))) {
        for (at_ += 1 + sign; IsDigit(Peek()); ++at_) {
        }
      }
    }
    return CheckEnd(TokenKind::kFloat);
  }

  /// Letters right behind a number would begin another word, which no grammar has there.
  Result<TokenKind> CheckEnd(TokenKind kind) {
    if (IsName(Peek())) {
      return SyntaxError(position_,
                         fmt::format("found a number that ends with '{}'{}", Peek(),
                                     Peek() == 'e' && kind == TokenKind::kInteger
                                         ? "; an exponent needs a point before it, as in 1.0e3"
                                         : ""));
    }
    return kind;
  }

  Result<TokenKind> ReadName(TokenKind kind) {
    bool has_lower = false;
    for (; IsName(Peek()); ++at_) {
      has_lower = has_lower || IsLower(Peek());
      if (kind == TokenKind::kLowercase && IsUpper(Peek())) {
        return SyntaxError(position_,
                           "found a name that begins with a small letter and has a "
                           "capital one; names of functions begin with a capital one");
      }
    }
    return kind == TokenKind::kUppercase && has_lower ? TokenKind::kFunction : kind;
  }

  std::string_view text_;
  size_t at_ = 0;
  Position position_;
};

}  // namespace

Status SyntaxError(Position position, std::string_view message) {
  return Status::Invalid(fmt::format("{}:{}: {}", position.line, position.column, message));
}

Result<std::vector<Token>> Tokenise(std::string_view text) { return Tokeniser(text).Run(); }

namespace {

/// The escapes of Go's string literals, which OTTL has.
class Unquoter {
 public:
  explicit Unquoter(const Token& token)
      : token_(token), text_(token.text.substr(1, token.text.size() - 2)) {}

  Result<std::string> Run() {
    while (at_ < text_.size()) {
      if (text_[at_] != '\\') {
        out_.push_back(text_[at_++]);
        continue;
      }
      ++at_;
      ARROW_RETURN_NOT_OK(ReadEscape());
    }
    return std::move(out_);
  }

 private:
  Status ReadEscape() {
    static constexpr std::string_view kLetters = "abfnrtv\\\"";
    static constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\\"";
    const char c = text_[at_++];
    if (const size_t found = kLetters.find(c); found != std::string_view::npos) {
      out_.push_back(kMeanings[found]);
      return Status::OK();
    }
    if (c == 'x') {
      return ReadCode(2, 16, 0xFF);
    }
    if (c == 'u') {
      return ReadCode(4, 16, 0xFFFF);
    }
    if (c == 'U') {
      return ReadCode(8, 16, 0x10FFFF);
    }
    if (c >= '0' && c <= '7') {
      --at_;
      return ReadCode(3, 8, 0xFF);
    }
    return Fail(fmt::format("found the escape '\\{}' in a text; a backslash is written as '\\\\'",
                            PrintableText(std::string_view(&c, 1))));
  }

  /// All of them name characters, \xe4 too, as in the Collector.
  Status ReadCode(size_t num_digits, uint32_t base, uint32_t largest) {
    uint64_t code = 0;
    for (size_t i = 0; i < num_digits; ++i, ++at_) {
      const char c = at_ < text_.size() ? text_[at_] : '\0';
      const uint32_t digit = IsDigit(c)             ? static_cast<uint32_t>(c - '0')
                             : c >= 'a' && c <= 'f' ? static_cast<uint32_t>(c - 'a' + 10)
                             : c >= 'A' && c <= 'F' ? static_cast<uint32_t>(c - 'A' + 10)
                                                    : 99;
      if (digit >= base) {
        return Fail(fmt::format("found an escape that ends early, expected {} digits", num_digits));
      }
      code = code * base + digit;
    }
    if (code > largest || (code >= 0xD800 && code <= 0xDFFF)) {
      return Fail("found an escape that names no character");
    }
    AppendUtf8(static_cast<uint32_t>(code), &out_);
    return Status::OK();
  }

  Status Fail(std::string_view message) const { return SyntaxError(token_.position, message); }

  const Token& token_;
  std::string_view text_;
  size_t at_ = 0;
  std::string out_;
};

}  // namespace

Result<std::string> Unquote(const Token& token) { return Unquoter(token).Run(); }

}  // namespace df::select
