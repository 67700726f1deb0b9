#include "otap/match.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace df::otap {
namespace {

using arrow::internal::checked_cast;

/// Sets the rows whose code has a hit. A row whose code is null is never set.
template <typename Code>
void SetHits(const arrow::Array& codes, const std::vector<uint8_t>& hits, RowSet* rows) {
  const Code* values = codes.data()->GetValues<Code>(1);
  if (codes.null_count() != 0) {
    rows->SetWhere([&](int64_t row) { return codes.IsValid(row) && hits[values[row]] != 0; });
    return;
  }
  const int64_t num_hits = std::count(hits.begin(), hits.end(), uint8_t{1});
  if (num_hits == 0) {
    return;
  }
  if (num_hits == 1) {
    // The usual case: one key. Comparing needs no look-up.
    const auto wanted = static_cast<Code>(std::find(hits.begin(), hits.end(), 1) - hits.begin());
    rows->SetWhere([=](int64_t row) { return values[row] == wanted; });
  } else {
    const uint8_t* table = hits.data();
    rows->SetWhere([=](int64_t row) { return table[values[row]] != 0; });
  }
}

}  // namespace

bool TextMatcher::Matches(std::string_view text) const {
  return std::find(texts_.begin(), texts_.end(), text) != texts_.end() ||
         std::any_of(patterns_.begin(), patterns_.end(),
                     [&](const Pattern& pattern) { return pattern.Matches(text); });
}

bool ValueMatcher::MatchesText(std::string_view text) const {
  if (const auto* pattern = std::get_if<Pattern>(&wanted_)) {
    return pattern->Matches(text);
  }
  const auto* value = std::get_if<AttributeValue>(&wanted_);
  const auto* wanted = value == nullptr ? nullptr : std::get_if<std::string>(value);
  return matches_any() || (wanted != nullptr && *wanted == text);
}

bool ValueMatcher::MatchesRow(const ValueColumns& values, ValueType type, int64_t row) const {
  if (matches_any()) {
    return true;
  }
  AttributeValue found;
  if (type == ValueType::kInteger) {
    found = values.IntegerAt(row);
  } else if (type == ValueType::kDouble) {
    found = values.DoubleAt(row);
  } else if (const auto truth = values.BoolAt(row); type == ValueType::kBool && truth) {
    found = *truth;
  } else {
    return false;
  }
  if (const auto* wanted = std::get_if<AttributeValue>(&wanted_)) {
    return found == *wanted;
  }
  std::string text;
  std::visit([&](const auto& value) { text = fmt::format("{}", value); }, found);
  return std::get<Pattern>(wanted_).Matches(text);
}

RowSet MatchTexts(const std::shared_ptr<arrow::Array>& column, int64_t num_rows,
                  const TextMatcher& matcher) {
  const BytesColumn texts(column);
  if (!texts.is_present()) {
    return RowSet(num_rows, matcher.Matches(""));
  }
  RowSet rows(num_rows);
  if (column->type_id() != arrow::Type::DICTIONARY) {
    rows.SetWhere([&](int64_t row) { return matcher.Matches(texts.At(row)); });
    return rows;
  }
  std::vector<uint8_t> hits(static_cast<size_t>(texts.num_codes()));
  for (size_t code = 0; code < hits.size(); ++code) {
    hits[code] = matcher.Matches(texts.EntryAt(static_cast<int64_t>(code))) ? 1 : 0;
  }
  const arrow::Array& codes = *checked_cast<const arrow::DictionaryArray&>(*column).indices();
  if (codes.type_id() == arrow::Type::UINT8) {
    SetHits<uint8_t>(codes, hits, &rows);
  } else {
    SetHits<uint16_t>(codes, hits, &rows);
  }
  if (codes.null_count() != 0 && matcher.Matches("")) {
    for (int64_t row = 0; row < num_rows; ++row) {
      if (codes.IsNull(row)) {
        rows.Set(row);
      }
    }
  }
  return rows;
}

RowSet MatchValues(const ValueColumns& values, const RowSet& candidates,
                   const ValueMatcher& matcher) {
  if (matcher.matches_any()) {
    return candidates;
  }
  enum : uint8_t { kUnasked, kNo, kYes };
  std::vector<uint8_t> asked(static_cast<size_t>(values.text().num_codes()), kUnasked);
  RowSet rows(candidates.num_rows());
  candidates.ForEach([&](int64_t row) {
    const ValueType type = values.TypeAt(row);
    bool is_match = false;
    if (type != ValueType::kText) {
      is_match = matcher.MatchesRow(values, type, row);
    } else if (asked.empty() || values.text().IsNull(row)) {
      is_match = matcher.MatchesText(values.text().At(row));
    } else {
      const int64_t code = values.text().CodeAt(row);
      uint8_t& answer = asked[static_cast<size_t>(code)];
      if (answer == kUnasked) {
        answer = matcher.MatchesText(values.text().EntryAt(code)) ? kYes : kNo;
      }
      is_match = answer == kYes;
    }
    if (is_match) {
      rows.Set(row);
    }
  });
  return rows;
}

RowSet RowsWithKey(const arrow::RecordBatch& attributes, std::string_view key) {
  return MatchTexts(attributes.GetColumnByName("key"), attributes.num_rows(),
                    TextMatcher(std::vector<std::string>{std::string(key)}));
}

RowSet MatchAttributes(const arrow::RecordBatch& attributes, const AttributePredicate& predicate) {
  return MatchValues(ValueColumns::Of(attributes), RowsWithKey(attributes, predicate.key),
                     predicate.value);
}

IdSet ParentsWithAttribute(const std::shared_ptr<arrow::RecordBatch>& attributes,
                           const AttributePredicate& predicate) {
  if (attributes == nullptr) {
    return {};
  }
  return CollectIds(FindArray(attributes, "parent_id").get(),
                    MatchAttributes(*attributes, predicate));
}

}  // namespace df::otap
