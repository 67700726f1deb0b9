// Regular expressions.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <arrow/result.h>

namespace re2 {
class RE2;
}

namespace df::otap {

/// A regular expression of RE2's syntax; it may match anywhere in a text. Calls: any thread.
class Pattern {
 public:
  /// Errors: Invalid saying what is wrong with the expression, and where.
  static arrow::Result<Pattern> Compile(const std::string& expression);

  bool Matches(std::string_view text) const;

 private:
  std::shared_ptr<const re2::RE2> compiled_;
};

}  // namespace df::otap
