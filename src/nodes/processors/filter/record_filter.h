// What a filter's configuration means for a batch.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "nodes/processors/filter/config.h"
#include "otap/filter.h"
#include "otap/match.h"
#include "select/condition.h"

namespace df::nodes::processors::filter {

/// Attributes of one kind, all or one of which must match.
using Predicates = std::vector<otap::AttributePredicate>;

/// A LogMatch, TraceMatch or MetricMatch with its patterns compiled. What does not exist for a
/// signal is not set.
struct CompiledMatch {
  Predicates resource_attributes;
  Predicates record_attributes;  ///< of log records and spans
  Predicates event_attributes;
  Predicates link_attributes;
  Predicates point_attributes;
  std::optional<otap::TextMatcher> names;  ///< of spans and metrics
  std::optional<otap::TextMatcher> event_names;
  std::optional<otap::TextMatcher> severity_texts;
  std::optional<otap::TextMatcher> bodies;
  std::optional<SeverityMatch> severity_number;
  std::optional<int64_t> min_time;
  std::optional<int64_t> max_time;
  std::optional<select::Condition> where;

  /// Tells whether data points are kept or dropped one by one.
  bool asks_points() const {
    return !point_attributes.empty() || min_time.has_value() || max_time.has_value() ||
           where.has_value();
  }
};

/// Items for which a condition had no answer: they match nothing.
struct Unanswered {
  int64_t num_items = 0;
  std::string first_reason;
};

/// Keeps what include names, then drops what exclude names, of each signal.
class RecordFilter {
 public:
  /// Errors: Invalid for an invalid pattern; a checked configuration has no such.
  static Result<RecordFilter> Make(const FilterConfig& config);

  /// Returns the batch itself when everything is kept, null when nothing is. Adds to `unanswered`.
  /// Errors: Arrow's.
  Result<otap::BatchPtr> Apply(const otap::BatchPtr& batch, Unanswered* unanswered) const;

 private:
  struct Sides {
    std::optional<CompiledMatch> include;
    std::optional<CompiledMatch> exclude;
  };

  template <typename Match>
  static Result<Sides> Compile(const IncludeExclude<Match>& config);

  std::array<Sides, otap::kAllSignals.size()> sides_;
};

}  // namespace df::nodes::processors::filter
