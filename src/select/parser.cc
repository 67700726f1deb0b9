#include <charconv>
#include <cstdlib>

#include <fmt/format.h>

#include "base/text.h"
#include "select/syntax.h"
#include "select/tokens.h"

namespace df::select {
namespace {

/// Counts how deep the parser stands while it lives.
class Depth {
 public:
  explicit Depth(int* depth) : depth_(depth) { ++*depth_; }
  ~Depth() { --*depth_; }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;

 private:
  int* depth_;
};

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens)
      : tokens_(std::move(tokens)), behind_(tokens_.size(), TokenKind::kEnd) {
    std::vector<size_t> open;
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (tokens_[i].kind == TokenKind::kOpenParenthesis) {
        open.push_back(i);
      } else if (tokens_[i].kind == TokenKind::kCloseParenthesis && !open.empty()) {
        behind_[open.back()] = tokens_[i + 1].kind;
        open.pop_back();
      }
    }
  }

  Result<TestSyntaxPtr> Run() {
    ARROW_ASSIGN_OR_RAISE(TestSyntaxPtr test, ReadOr());
    if (Peek().kind != TokenKind::kEnd) {
      return Unexpected("'and', 'or' or the end");
    }
    return test;
  }

  Result<ValueSyntaxPtr> RunValue() {
    ARROW_ASSIGN_OR_RAISE(ValueSyntaxPtr value, ReadValue());
    if (Peek().kind != TokenKind::kEnd) {
      return Unexpected("the end");
    }
    return value;
  }

 private:
  const Token& Peek(size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  bool IsWord(std::string_view word) const {
    return Peek().kind == TokenKind::kLowercase && Peek().text == word;
  }
  static bool IsOperator(TokenKind kind) {
    return kind == TokenKind::kComparison || kind == TokenKind::kPlus ||
           kind == TokenKind::kMinus || kind == TokenKind::kTimes || kind == TokenKind::kDivide;
  }
  bool Take(TokenKind kind) {
    if (Peek().kind != kind) {
      return false;
    }
    ++at_;
    return true;
  }

  Status Unexpected(std::string_view expected) const {
    const Token& token = Peek();
    return SyntaxError(
        token.position,
        fmt::format("found {}, expected {}",
                    token.kind == TokenKind::kEnd ? std::string("the end")
                                                  : fmt::format("'{}'", PrintableText(token.text)),
                    expected));
  }
  Status Expect(TokenKind kind, std::string_view name) {
    return Take(kind) ? Status::OK() : Unexpected(name);
  }
  Status CheckDepth() const {
    return depth_ <= kMaxDepth + 2  // the innermost test and its first value
               ? Status::OK()
               : SyntaxError(Peek().position,
                             fmt::format("found more than {} levels of nesting", kMaxDepth));
  }

  Result<TestSyntaxPtr> ReadOr() { return ReadChain("or", TestSyntax::Kind::kOr); }

  Result<TestSyntaxPtr> ReadChain(std::string_view word, TestSyntax::Kind kind) {
    const bool is_or = kind == TestSyntax::Kind::kOr;
    const Position position = Peek().position;
    std::vector<TestSyntaxPtr> parts;
    do {
      ARROW_ASSIGN_OR_RAISE(TestSyntaxPtr part,
                            is_or ? ReadChain("and", TestSyntax::Kind::kAnd) : ReadOne());
      parts.push_back(std::move(part));
    } while (IsWord(word) && Take(TokenKind::kLowercase));
    if (parts.size() == 1) {
      return std::move(parts.front());
    }
    auto test = std::make_unique<TestSyntax>();
    test->kind = kind;
    test->position = position;
    test->parts = std::move(parts);
    return test;
  }

  Result<TestSyntaxPtr> ReadOne() {
    const Depth depth(&depth_);
    ARROW_RETURN_NOT_OK(CheckDepth());
    auto test = std::make_unique<TestSyntax>();
    test->position = Peek().position;
    if (IsWord("not")) {
      ++at_;
      test->kind = TestSyntax::Kind::kNot;
      ARROW_ASSIGN_OR_RAISE(TestSyntaxPtr part, ReadPlain());
      test->parts.push_back(std::move(part));
      return test;
    }
    return ReadPlain();
  }

  /// One without 'not'.
  Result<TestSyntaxPtr> ReadPlain() {
    auto test = std::make_unique<TestSyntax>();
    test->position = Peek().position;
    // Either a condition, or a number that a comparison begins with, as in (a + 1) * 2 > 3.
    if (Peek().kind == TokenKind::kOpenParenthesis && !IsOperator(behind_[at_])) {
      ++at_;
      ARROW_ASSIGN_OR_RAISE(TestSyntaxPtr inner, ReadOr());
      ARROW_RETURN_NOT_OK(Expect(TokenKind::kCloseParenthesis, "')', 'and' or 'or'"));
      return inner;
    }
    if (IsTraceAny()) {
      return ReadTraceAny();
    }
    ARROW_ASSIGN_OR_RAISE(test->left, ReadValue());
    if (Peek().kind == TokenKind::kComparison) {
      test->kind = TestSyntax::Kind::kComparison;
      const std::string_view sign = tokens_[at_++].text;
      test->comparison = sign == "=="   ? Comparison::kEqual
                         : sign == "!=" ? Comparison::kNotEqual
                         : sign == "<"  ? Comparison::kLess
                         : sign == "<=" ? Comparison::kLessOrEqual
                         : sign == ">"  ? Comparison::kGreater
                                        : Comparison::kGreaterOrEqual;
      ARROW_ASSIGN_OR_RAISE(test->right, ReadValue());
      return test;
    }
    if (const bool* constant = std::get_if<bool>(&test->left->form)) {
      test->kind = TestSyntax::Kind::kConstant;
      test->constant = *constant;
      return test;
    }
    if (std::holds_alternative<CallSyntax>(test->left->form)) {
      test->kind = TestSyntax::Kind::kCall;
      return test;
    }
    return Unexpected("a comparison: == != < <= > >=");
  }

  bool IsTraceAny() const {
    return IsWord("trace") && Peek(1).kind == TokenKind::kDot &&
           Peek(2).kind == TokenKind::kLowercase && Peek(2).text == "any" &&
           Peek(3).kind == TokenKind::kOpenParenthesis;
  }

  /// What is asked of all spans of a trace, or of all log records of one.
  Result<TestSyntaxPtr> ReadTraceAny() {
    auto test = std::make_unique<TestSyntax>();
    test->kind = TestSyntax::Kind::kTraceAny;
    test->position = Peek().position;
    at_ += 4;
    const char* begin = Peek().text.data();
    ARROW_ASSIGN_OR_RAISE(TestSyntaxPtr inner, ReadOr());
    const char* end = Peek().text.data();
    ARROW_RETURN_NOT_OK(Expect(TokenKind::kCloseParenthesis, "')', 'and' or 'or'"));
    test->asked_of_trace.assign(begin, end);
    test->asked_of_trace.erase(test->asked_of_trace.find_last_not_of(" \t\r\n") + 1);
    test->parts.push_back(std::move(inner));
    return test;
  }

  Result<ValueSyntaxPtr> ReadValue() { return ReadArithmetic(true); }

  /// A sum of products, or a product of plain values; both from left to right.
  Result<ValueSyntaxPtr> ReadArithmetic(bool is_sum) {
    const auto read_part = [&] { return is_sum ? ReadArithmetic(false) : ReadOperand(); };
    ARROW_ASSIGN_OR_RAISE(ValueSyntaxPtr left, read_part());
    const TokenKind first = is_sum ? TokenKind::kPlus : TokenKind::kTimes;
    const TokenKind second = is_sum ? TokenKind::kMinus : TokenKind::kDivide;
    while (Peek().kind == first || Peek().kind == second) {
      auto whole = std::make_unique<ValueSyntax>();
      whole->position = left->position;
      ArithmeticSyntax arithmetic;
      arithmetic.operation = tokens_[at_++].text.front();
      arithmetic.left = std::move(left);
      ARROW_ASSIGN_OR_RAISE(arithmetic.right, read_part());
      whole->form = std::move(arithmetic);
      left = std::move(whole);
      // The tree leans to the left and is walked by recursion.
      if (++num_operations_ > kMaxOperations) {
        return SyntaxError(Peek().position,
                           fmt::format("found more than {} operations", kMaxOperations));
      }
    }
    return left;
  }

  Result<ValueSyntaxPtr> ReadOperand() {
    const Depth depth(&depth_);
    ARROW_RETURN_NOT_OK(CheckDepth());
    if (Peek().kind == TokenKind::kMinus) {
      return ReadNegative();
    }
    if (Take(TokenKind::kPlus) && !StartsNumber(Peek().kind)) {
      return Unexpected("a number, a field, a function or '('");
    }
    if (Take(TokenKind::kOpenParenthesis)) {
      ARROW_ASSIGN_OR_RAISE(ValueSyntaxPtr inner, ReadValue());
      ARROW_RETURN_NOT_OK(Expect(TokenKind::kCloseParenthesis, "')'"));
      return inner;
    }
    auto value = std::make_unique<ValueSyntax>();
    value->position = Peek().position;
    ARROW_RETURN_NOT_OK(ReadForm(value.get()));
    return value;
  }

  static bool StartsNumber(TokenKind kind) {
    return kind == TokenKind::kInteger || kind == TokenKind::kFloat ||
           kind == TokenKind::kLowercase || kind == TokenKind::kFunction ||
           kind == TokenKind::kOpenParenthesis;
  }

  /// What stands behind a minus: a number below zero, or 0 - value.
  Result<ValueSyntaxPtr> ReadNegative() {
    const Position position = Peek().position;
    ++at_;
    if (!StartsNumber(Peek().kind)) {
      return Unexpected("a number, a field, a function or '('");
    }
    auto negative = std::make_unique<ValueSyntax>();
    negative->position = position;
    if (Peek().kind == TokenKind::kInteger) {
      ARROW_ASSIGN_OR_RAISE(negative->form, ReadInteger("-"));
      return negative;
    }
    ARROW_ASSIGN_OR_RAISE(ValueSyntaxPtr value, ReadOperand());
    if (const double* number = std::get_if<double>(&value->form)) {
      negative->form = -*number;
      return negative;
    }
    negative->form = NegationSyntax{std::move(value)};
    return negative;
  }

  Status ReadForm(ValueSyntax* value) {
    const Token& token = Peek();
    switch (token.kind) {
      case TokenKind::kInteger: {
        ARROW_ASSIGN_OR_RAISE(value->form, ReadInteger());
        return Status::OK();
      }
      case TokenKind::kFloat:
        value->form = std::strtod(std::string(token.text).c_str(), nullptr);
        ++at_;
        return Status::OK();
      case TokenKind::kBytes: {
        ARROW_ASSIGN_OR_RAISE(value->form, ReadBytes());
        return Status::OK();
      }
      case TokenKind::kText: {
        ARROW_ASSIGN_OR_RAISE(value->form, Unquote(token));
        ++at_;
        return Status::OK();
      }
      case TokenKind::kLowercase:
        return ReadLowercase(value);
      case TokenKind::kUppercase:
      case TokenKind::kFunction:
        if (token.kind == TokenKind::kFunction || Peek(1).kind == TokenKind::kOpenParenthesis) {
          return ReadCall(value);
        }
        value->form = EnumSyntax{std::string(token.text)};
        ++at_;
        return Status::OK();
      case TokenKind::kOpenBracket:
        return ReadList(value);
      case TokenKind::kOpenBrace:
        return ReadMap(value);
      default:
        return Unexpected("a value");
    }
  }

  Result<int64_t> ReadInteger(std::string_view sign = "") {
    const Token& token = Peek();
    const std::string digits = fmt::format("{}{}", sign, token.text);
    int64_t number = 0;
    const char* end = digits.data() + digits.size();
    if (const auto read = std::from_chars(digits.data(), end, number);
        read.ec != std::errc() || read.ptr != end) {
      return SyntaxError(token.position,
                         fmt::format("found {}, which does not fit 64 bits", digits));
    }
    ++at_;
    return number;
  }

  Result<BytesSyntax> ReadBytes() {
    const Token& token = Peek();
    const std::string_view digits = token.text.substr(2);
    if (digits.size() % 2 != 0) {
      return SyntaxError(token.position,
                         "found an odd number of digits behind 0x, expected two "
                         "for each byte");
    }
    BytesSyntax bytes;
    for (size_t i = 0; i < digits.size(); i += 2) {
      uint8_t byte = 0;
      std::from_chars(digits.data() + i, digits.data() + i + 2, byte, 16);
      bytes.bytes.push_back(static_cast<char>(byte));
    }
    ++at_;
    return bytes;
  }

  Status ReadLowercase(ValueSyntax* value) {
    const std::string_view word = Peek().text;
    if (word == "nil") {
      ++at_;
      return Status::OK();
    }
    if (word == "true" || word == "false") {
      value->form = word == "true";
      ++at_;
      return Status::OK();
    }
    if (word == "and" || word == "or" || word == "not") {
      return Unexpected("a value");
    }
    PathSyntax path;
    do {
      PathSyntax::Field field{
          .name = std::string(Peek().text), .keys = {}, .position = Peek().position};
      ARROW_RETURN_NOT_OK(Expect(TokenKind::kLowercase, "a field behind '.'"));
      ARROW_ASSIGN_OR_RAISE(field.keys, ReadKeys());
      path.fields.push_back(std::move(field));
    } while (Take(TokenKind::kDot));
    if (Peek().kind == TokenKind::kOpenParenthesis) {
      return SyntaxError(value->position,
                         "found a function that begins with a small letter: those change data and "
                         "have no place in a condition");
    }
    value->form = std::move(path);
    return Status::OK();
  }

  Result<std::vector<KeySyntax>> ReadKeys() {
    std::vector<KeySyntax> keys;
    while (Take(TokenKind::kOpenBracket)) {
      if (Peek().kind == TokenKind::kText) {
        ARROW_ASSIGN_OR_RAISE(std::string key, Unquote(Peek()));
        ++at_;
        keys.emplace_back(std::move(key));
      } else if (Peek().kind == TokenKind::kInteger) {
        ARROW_ASSIGN_OR_RAISE(const int64_t index, ReadInteger());
        keys.emplace_back(index);
      } else {
        return Unexpected("a key in double quotes or an index");
      }
      ARROW_RETURN_NOT_OK(Expect(TokenKind::kCloseBracket, "']'"));
    }
    return keys;
  }

  Status ReadCall(ValueSyntax* value) {
    CallSyntax call;
    call.name = tokens_[at_++].text;
    ARROW_RETURN_NOT_OK(Expect(TokenKind::kOpenParenthesis, "'(' behind the name of a function"));
    while (!Take(TokenKind::kCloseParenthesis)) {
      if (!call.arguments.empty()) {
        ARROW_RETURN_NOT_OK(Expect(TokenKind::kComma, "',' or ')'"));
      }
      CallSyntax::Argument argument;
      if (Peek().kind == TokenKind::kLowercase && Peek(1).kind == TokenKind::kAssign) {
        argument.name = Peek().text;
        at_ += 2;
      }
      ARROW_ASSIGN_OR_RAISE(argument.value, ReadValue());
      call.arguments.push_back(std::move(argument));
    }
    ARROW_ASSIGN_OR_RAISE(call.keys, ReadKeys());
    value->form = std::move(call);
    return Status::OK();
  }

  Status ReadList(ValueSyntax* value) {
    ++at_;
    ListSyntax list;
    while (!Take(TokenKind::kCloseBracket)) {
      if (!list.items.empty()) {
        ARROW_RETURN_NOT_OK(Expect(TokenKind::kComma, "',' or ']'"));
      }
      ARROW_ASSIGN_OR_RAISE(ValueSyntaxPtr item, ReadValue());
      list.items.push_back(std::move(item));
    }
    value->form = std::move(list);
    return Status::OK();
  }

  Status ReadMap(ValueSyntax* value) {
    ++at_;
    MapSyntax map;
    while (!Take(TokenKind::kCloseBrace)) {
      if (!map.entries.empty()) {
        ARROW_RETURN_NOT_OK(Expect(TokenKind::kComma, "',' or '}'"));
      }
      if (Peek().kind != TokenKind::kText) {
        return Unexpected("a key in double quotes");
      }
      ARROW_ASSIGN_OR_RAISE(std::string key, Unquote(Peek()));
      ++at_;
      ARROW_RETURN_NOT_OK(Expect(TokenKind::kColon, "':'"));
      ARROW_ASSIGN_OR_RAISE(ValueSyntaxPtr item, ReadValue());
      map.entries.emplace_back(std::move(key), std::move(item));
    }
    value->form = std::move(map);
    return Status::OK();
  }

  static constexpr int kMaxOperations = 256;

  std::vector<Token> tokens_;
  std::vector<TokenKind>
      behind_;  ///< by open parenthesis: what stands behind the one that closes it
  size_t at_ = 0;
  int depth_ = 0;
  int num_operations_ = 0;
};

}  // namespace

namespace {

Result<Parser> MakeParser(std::string_view text) {
  if (text.size() > kMaxConditionBytes) {
    return SyntaxError(
        {}, fmt::format("found {} bytes, expected at most {}", text.size(), kMaxConditionBytes));
  }
  ARROW_ASSIGN_OR_RAISE(std::vector<Token> tokens, Tokenise(text));
  return Parser(std::move(tokens));
}

}  // namespace

Result<TestSyntaxPtr> ParseCondition(std::string_view text) {
  ARROW_ASSIGN_OR_RAISE(Parser parser, MakeParser(text));
  return parser.Run();
}

Result<ValueSyntaxPtr> ParseValue(std::string_view text) {
  ARROW_ASSIGN_OR_RAISE(Parser parser, MakeParser(text));
  return parser.RunValue();
}

}  // namespace df::select
