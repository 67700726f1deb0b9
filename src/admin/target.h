// Reads request targets, and chooses what to answer with.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace df::admin {

/// A request target in parts, percent-decoded.
struct Target {
  std::vector<std::string> path;  ///< the segments: "/a/b" is {"a", "b"}, "/" is {""}
  std::vector<std::pair<std::string, std::string>> query;  ///< in the order of the target
};

/// Errors: Invalid saying what is wrong: no path, a bad escape, bytes that are no UTF-8 or that
/// control terminals, a query parameter given twice.
Result<Target> ParseTarget(std::string_view text);

/// Returns the offered media type that the Accept header likes best, the first of equals; an
/// empty header likes all. Returns "" when it accepts none.
std::string_view ChooseMediaType(std::string_view accept,
                                 std::span<const std::string_view> offered);

/// Returns the type of a Content-Type header in lower case, without parameters.
std::string MediaTypeOf(std::string_view content_type);

}  // namespace df::admin
