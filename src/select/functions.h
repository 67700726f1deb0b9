// The functions of conditions, which OTTL calls converters.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "select/paths.h"
#include "select/value.h"

namespace df::select {

/// What an argument must be.
enum class Wanted : uint8_t {
  kAny,
  kText,
  kTextLike,  ///< nil, or what ToText can write
  kInteger,
  kList,
  kTime,
  kDuration,
};

struct Parameter {
  std::string_view name;
  Wanted wanted = Wanted::kAny;
  bool is_optional = false;
};

/// Owner: lives as long as the process.
struct Function {
  std::string_view name;
  std::vector<Parameter> parameters;
  StaticKind result = StaticKind::kAny;
  /// Computes the value. `arguments` are as `parameters` want them, and no Failure; those that were
  /// left out are missing at the end.
  Value (*call)(std::span<const Value> arguments) = nullptr;
};

/// Finds a function. Errors: Invalid saying that it is unknown, with the nearest one, or one of
/// OTTL that conditions do not have.
Result<const Function*> FindFunction(Context context, const std::string& name, Position position);

/// Returns the value as a parameter wants it, or a Failure that says what was found.
Value ToWanted(const Function& function, const Parameter& parameter, Value value);

/// Tells whether a value of a kind that is known before it is read can be what is wanted.
bool MayBe(StaticKind kind, Wanted wanted);

/// The name of the function that is true for spans without a parent.
inline constexpr std::string_view kIsRootSpan = "IsRootSpan";
/// The name of the function that gives the first value that is not nil.
inline constexpr std::string_view kCoalesce = "Coalesce";
/// The name of the function that looks for a pattern.
inline constexpr std::string_view kIsMatch = "IsMatch";

}  // namespace df::select
