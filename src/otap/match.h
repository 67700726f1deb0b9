// Which rows hold a text or value that somebody asks for.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <arrow/result.h>

#include "otap/any_value.h"
#include "otap/pattern.h"
#include "otap/rows.h"

namespace df::otap {

/// One of some texts, or anything that one of some patterns matches.
class TextMatcher {
 public:
  explicit TextMatcher(std::vector<std::string> texts) : texts_(std::move(texts)) {}
  explicit TextMatcher(std::vector<Pattern> patterns) : patterns_(std::move(patterns)) {}

  bool Matches(std::string_view text) const;

 private:
  std::vector<std::string> texts_;
  std::vector<Pattern> patterns_;
};

/// Any value, one value, or what a pattern matches. A value equals one of its own type only. A
/// pattern reads numbers as they are written in decimal, and matches no bytes, maps, slices and
/// empty values.
class ValueMatcher {
 public:
  ValueMatcher() = default;
  explicit ValueMatcher(AttributeValue value) : wanted_(std::move(value)) {}
  explicit ValueMatcher(Pattern pattern) : wanted_(std::move(pattern)) {}

  bool matches_any() const { return std::holds_alternative<std::monostate>(wanted_); }
  bool MatchesText(std::string_view text) const;

  /// Tells whether a row matches whose type is not kText.
  bool MatchesRow(const ValueColumns& values, ValueType type, int64_t row) const;

 private:
  std::variant<std::monostate, AttributeValue, Pattern> wanted_;
};

/// A key and what its value must be.
struct AttributePredicate {
  std::string key;
  ValueMatcher value;
};

/// Returns the rows whose text matches; null is "". `column` may be null: then every row is "".
/// Cost: the matcher is asked once for each entry of a dictionary, once a row in a plain column.
RowSet MatchTexts(const std::shared_ptr<arrow::Array>& column, int64_t num_rows,
                  const TextMatcher& matcher);

/// Returns those of `candidates` whose value matches. Cost: the matcher is asked once for each
/// entry of a dictionary of texts that a candidate has, and once for each other candidate.
RowSet MatchValues(const ValueColumns& values, const RowSet& candidates,
                   const ValueMatcher& matcher);

/// Returns the rows of an attribute table with a key.
RowSet RowsWithKey(const arrow::RecordBatch& attributes, std::string_view key);

/// Returns the rows of an attribute table that match.
RowSet MatchAttributes(const arrow::RecordBatch& attributes, const AttributePredicate& predicate);

/// Returns the parents that have a matching attribute; none where the table is null.
IdSet ParentsWithAttribute(const std::shared_ptr<arrow::RecordBatch>& attributes,
                           const AttributePredicate& predicate);

}  // namespace df::otap
