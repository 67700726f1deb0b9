// Built with hidden symbols: inline functions of RE2 must not stand in for those of the other RE2
// inside Arrow.
#include "otap/pattern.h"

#include <memory>
#include <utility>

#include <fmt/format.h>
#include <re2/re2.h>

#include "base/error.h"

namespace df::otap {

arrow::Result<Pattern> Pattern::Compile(const std::string& expression) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  auto compiled = std::make_shared<re2::RE2>(expression, options);
  if (!compiled->ok()) {
    const std::string& part = compiled->error_arg();
    const size_t at = part.empty() ? std::string::npos : expression.find(part);
    return Status::Invalid(
        fmt::format("{}{}", compiled->error(),
                    at == std::string::npos ? "" : fmt::format(" (at character {})", at + 1)));
  }
  Pattern pattern;
  pattern.compiled_ = std::move(compiled);
  return pattern;
}

bool Pattern::Matches(std::string_view text) const {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *compiled_);
}

}  // namespace df::otap
