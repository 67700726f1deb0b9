// The text of a condition as a tree. Source: the grammar in docs/conditions.md, a part of OTTL's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"

namespace df::select {

/// A place in the text of a condition, from 1.
struct Position {
  int line = 1;
  int column = 1;  ///< in bytes
};

struct ValueSyntax;
using ValueSyntaxPtr = std::unique_ptr<ValueSyntax>;

/// What stands in brackets behind a name: the key of a map, or an index of a list.
using KeySyntax = std::variant<std::string, int64_t>;

/// As in log.attributes["k"][0].
struct PathSyntax {
  struct Field {
    std::string name;
    std::vector<KeySyntax> keys;
    Position position;
  };
  std::vector<Field> fields;
};

/// As in Split(body, ",")[0].
struct CallSyntax {
  std::string name;
  struct Argument {
    std::string name;  ///< "" where it is not named
    ValueSyntaxPtr value;
  };
  std::vector<Argument> arguments;
  std::vector<KeySyntax> keys;
};

struct EnumSyntax {
  std::string name;
};
struct BytesSyntax {
  std::string bytes;
};
struct ListSyntax {
  std::vector<ValueSyntaxPtr> items;
};
struct MapSyntax {
  std::vector<std::pair<std::string, ValueSyntaxPtr>> entries;
};
struct ArithmeticSyntax {
  char operation = '+';  ///< one of + - * /
  ValueSyntaxPtr left;
  ValueSyntaxPtr right;
};
struct NegationSyntax {
  ValueSyntaxPtr value;
};

/// Anything that has a value; std::monostate is nil.
struct ValueSyntax {
  Position position;
  std::variant<std::monostate, bool, int64_t, double, std::string, BytesSyntax, EnumSyntax,
               PathSyntax, CallSyntax, ListSyntax, MapSyntax, ArithmeticSyntax, NegationSyntax>
      form;
};

enum class Comparison : uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
};

/// Anything that is true or false.
struct TestSyntax {
  enum class Kind : uint8_t { kConstant, kCall, kComparison, kTraceAny, kNot, kAnd, kOr };

  Kind kind = Kind::kConstant;
  Position position;
  bool constant = false;                           ///< kConstant
  Comparison comparison{};                         ///< kComparison
  ValueSyntaxPtr left;                             ///< kComparison; kCall: the call
  ValueSyntaxPtr right;                            ///< kComparison
  std::string asked_of_trace;                      ///< kTraceAny: the text of its part
  std::vector<std::unique_ptr<TestSyntax>> parts;  ///< kNot, kTraceAny: one; kAnd, kOr: more
};
using TestSyntaxPtr = std::unique_ptr<TestSyntax>;

/// Longest text of a condition, and how deep its parentheses, lists and calls may stand in each
/// other.
inline constexpr size_t kMaxConditionBytes = 65'536;
inline constexpr int kMaxDepth = 64;

/// Reads a condition. Errors: Invalid saying at which line and column what was found and expected.
Result<TestSyntaxPtr> ParseCondition(std::string_view text);

/// Reads a value: a field, a call, a calculation. Errors: as ParseCondition.
Result<ValueSyntaxPtr> ParseValue(std::string_view text);

/// Returns "line:column: message" as an error.
Status SyntaxError(Position position, std::string_view message);

}  // namespace df::select
