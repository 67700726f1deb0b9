#include "nodes/processors/filter/record_filter.h"

#include <memory>
#include <utility>

#include <arrow/api.h>
#include <arrow/util/checked_cast.h>
#include <fmt/format.h>

#include "select/selector.h"

namespace df::nodes::processors::filter {
namespace {

using arrow::internal::checked_cast;
using otap::Batch;
using otap::BatchPtr;
using otap::FindArray;
using otap::RowSet;
using otap::TableInfo;
using otap::TableKind;
using ArrayPtr = std::shared_ptr<arrow::Array>;

std::string PatternText(const otap::AttributeValue& value) {
  std::string text;
  std::visit([&](const auto& held) { text = fmt::format("{}", held); }, value);
  return text;
}

Result<Predicates> CompileAttributes(const std::vector<AttributeMatch>& matches, MatchType type) {
  Predicates predicates;
  for (const AttributeMatch& match : matches) {
    otap::ValueMatcher value;
    if (match.value.has_value() && type == MatchType::kStrict) {
      value = otap::ValueMatcher(*match.value);
    } else if (match.value.has_value()) {
      ARROW_ASSIGN_OR_RAISE(auto pattern, otap::Pattern::Compile(PatternText(*match.value)));
      value = otap::ValueMatcher(std::move(pattern));
    }
    predicates.push_back({match.key, std::move(value)});
  }
  return predicates;
}

Result<std::optional<otap::TextMatcher>> CompileTexts(const std::vector<std::string>& texts,
                                                      MatchType type) {
  if (texts.empty()) {
    return std::nullopt;
  }
  if (type == MatchType::kStrict) {
    return otap::TextMatcher(texts);
  }
  std::vector<otap::Pattern> patterns;
  for (const std::string& text : texts) {
    ARROW_ASSIGN_OR_RAISE(auto pattern, otap::Pattern::Compile(text));
    patterns.push_back(std::move(pattern));
  }
  return otap::TextMatcher(std::move(patterns));
}

/// What every signal has.
template <typename Match>
Status CompileCommon(const Match& match, otap::Signal signal, CompiledMatch* compiled) {
  ARROW_ASSIGN_OR_RAISE(compiled->resource_attributes,
                        CompileAttributes(match.resource_attributes, match.match_type));
  compiled->min_time = match.min_time;
  compiled->max_time = match.max_time;
  if (match.where.has_value()) {
    ARROW_ASSIGN_OR_RAISE(compiled->where, select::Condition::Compile(*match.where, signal));
  }
  return Status::OK();
}

Result<CompiledMatch> CompileMatch(const LogMatch& match) {
  CompiledMatch compiled;
  ARROW_RETURN_NOT_OK(CompileCommon(match, otap::Signal::kLogs, &compiled));
  const MatchType type = match.match_type;
  ARROW_ASSIGN_OR_RAISE(compiled.record_attributes,
                        CompileAttributes(match.record_attributes, type));
  ARROW_ASSIGN_OR_RAISE(compiled.severity_texts, CompileTexts(match.severity_texts, type));
  ARROW_ASSIGN_OR_RAISE(compiled.bodies, CompileTexts(match.bodies, type));
  compiled.severity_number = match.severity_number;
  return compiled;
}

Result<CompiledMatch> CompileMatch(const TraceMatch& match) {
  CompiledMatch compiled;
  ARROW_RETURN_NOT_OK(CompileCommon(match, otap::Signal::kTraces, &compiled));
  const MatchType type = match.match_type;
  ARROW_ASSIGN_OR_RAISE(compiled.record_attributes, CompileAttributes(match.span_attributes, type));
  ARROW_ASSIGN_OR_RAISE(compiled.event_attributes, CompileAttributes(match.event_attributes, type));
  ARROW_ASSIGN_OR_RAISE(compiled.link_attributes, CompileAttributes(match.link_attributes, type));
  ARROW_ASSIGN_OR_RAISE(compiled.names, CompileTexts(match.span_names, type));
  ARROW_ASSIGN_OR_RAISE(compiled.event_names, CompileTexts(match.event_names, type));
  return compiled;
}

Result<CompiledMatch> CompileMatch(const MetricMatch& match) {
  CompiledMatch compiled;
  ARROW_RETURN_NOT_OK(CompileCommon(match, otap::Signal::kMetrics, &compiled));
  const MatchType type = match.match_type;
  ARROW_ASSIGN_OR_RAISE(compiled.point_attributes,
                        CompileAttributes(match.datapoint_attributes, type));
  ARROW_ASSIGN_OR_RAISE(compiled.names, CompileTexts(match.metric_names, type));
  return compiled;
}

/// The rows whose id one of the predicates finds in a table of attributes.
RowSet RowsWithAny(const Batch& batch, const ArrayPtr& ids, int64_t num_rows, TableKind attributes,
                   const Predicates& predicates) {
  RowSet rows(num_rows);
  for (const otap::AttributePredicate& predicate : predicates) {
    if (ids != nullptr) {
      rows.Unite(RowsWithIds(*ids, ParentsWithAttribute(batch.table(attributes), predicate)));
    }
  }
  return rows;
}

/// The table of attributes of a table's rows.
TableKind AttributesOf(TableKind parent) {
  for (const TableInfo& info : otap::AllTables()) {
    if (info.parent == parent && info.is_attributes) {
      return info.kind;
    }
  }
  return parent;
}

/// Narrows log records, spans or data points by their time and the condition.
void NarrowItems(const Batch& batch, TableKind table, const CompiledMatch& match, RowSet* rows,
                 Unanswered* unanswered) {
  if (match.min_time.has_value() || match.max_time.has_value()) {
    const std::vector<int64_t> times = select::EventTimes(*batch.table(table), table);
    RowSet in_time(rows->num_rows());
    in_time.SetWhere([&](int64_t row) {
      const int64_t time = times[static_cast<size_t>(row)];
      return time >= match.min_time.value_or(INT64_MIN) &&
             time <= match.max_time.value_or(INT64_MAX);
    });
    rows->Intersect(in_time);
  }
  if (match.where.has_value()) {
    select::Answer answer = match.where->Ask(batch, table, *rows);
    *rows = std::move(answer.yes);
    unanswered->num_items += answer.failed.Count();
    if (unanswered->first_reason.empty()) {
      unanswered->first_reason = std::move(answer.first_failure);
    }
  }
}

/// Narrows the root rows of a batch by one criterion after the other.
class RootMatch {
 public:
  RootMatch(const Batch& batch, const CompiledMatch& match, Unanswered* unanswered)
      : batch_(batch), match_(match), unanswered_(unanswered), rows_(batch.num_root_rows(), true) {}

  RowSet Run() {
    for (const otap::AttributePredicate& predicate : match_.resource_attributes) {
      rows_.Intersect(RowsWithAny(batch_, otap::GroupIds(batch_.root(), "resource"),
                                  rows_.num_rows(), TableKind::kResourceAttrs, {predicate}));
    }
    if (!match_.record_attributes.empty()) {
      rows_.Intersect(RowsWithAny(batch_, Root("id"), rows_.num_rows(),
                                  AttributesOf(otap::RootTable(batch_.signal())),
                                  match_.record_attributes));
    }
    NarrowByText("name", match_.names);
    NarrowByText("severity_text", match_.severity_texts);
    NarrowByBody();
    NarrowBySeverity();
    if (batch_.signal() != otap::Signal::kMetrics) {
      NarrowItems(batch_, otap::RootTable(batch_.signal()), match_, &rows_, unanswered_);
    }
    NarrowByChildren(TableKind::kSpanEvents, match_.event_names, match_.event_attributes);
    NarrowByChildren(TableKind::kSpanLinks, std::nullopt, match_.link_attributes);
    return std::move(rows_);
  }

 private:
  ArrayPtr Root(std::string_view column) const { return FindArray(batch_.root(), column); }

  void NarrowByText(std::string_view column, const std::optional<otap::TextMatcher>& matcher) {
    if (matcher.has_value()) {
      rows_.Intersect(MatchTexts(Root(column), rows_.num_rows(), *matcher));
    }
  }

  void NarrowByBody() {
    if (!match_.bodies.has_value()) {
      return;
    }
    const ArrayPtr body = Root("body");
    RowSet texts(rows_.num_rows());
    if (body != nullptr) {
      const auto& group = checked_cast<const arrow::StructArray&>(*body);
      const auto values = otap::ValueColumns::Of(group);
      texts.SetWhere([&](int64_t row) { return values.TypeAt(row) == otap::ValueType::kText; });
      texts.Intersect(MatchTexts(group.GetFieldByName("str"), rows_.num_rows(), *match_.bodies));
    }
    rows_.Intersect(texts);
  }

  void NarrowBySeverity() {
    if (!match_.severity_number.has_value()) {
      return;
    }
    const SeverityMatch& wanted = *match_.severity_number;
    const auto matches = [&](int64_t number) {
      return number == 0 ? wanted.match_undefined : number >= wanted.min;
    };
    RowSet rows(rows_.num_rows());
    const ArrayPtr column = Root("severity_number");
    if (column == nullptr) {
      rows = RowSet(rows_.num_rows(), matches(0));
    } else if (column->type_id() == arrow::Type::DICTIONARY) {
      const auto& coded = checked_cast<const arrow::DictionaryArray&>(*column);
      const auto& values = checked_cast<const arrow::Int32Array&>(*coded.dictionary());
      rows.SetWhere([&](int64_t row) {
        const bool is_null = coded.IsNull(row) || values.IsNull(coded.GetValueIndex(row));
        return matches(is_null ? 0 : values.Value(coded.GetValueIndex(row)));
      });
    } else {
      const auto& values = checked_cast<const arrow::Int32Array&>(*column);
      rows.SetWhere(
          [&](int64_t row) { return matches(values.IsNull(row) ? 0 : values.Value(row)); });
    }
    rows_.Intersect(rows);
  }

  /// Keeps the rows with a child that has one of the names, and a child with one of the attributes.
  void NarrowByChildren(TableKind kind, const std::optional<otap::TextMatcher>& names,
                        const Predicates& attributes) {
    if (!names.has_value() && attributes.empty()) {
      return;
    }
    const auto& table = batch_.table(kind);
    const ArrayPtr ids = Root("id");
    if (table == nullptr || ids == nullptr) {
      rows_ = RowSet(rows_.num_rows());
      return;
    }
    const ArrayPtr parents = FindArray(table, "parent_id");
    if (names.has_value()) {
      const RowSet named = MatchTexts(FindArray(table, "name"), table->num_rows(), *names);
      rows_.Intersect(RowsWithIds(*ids, CollectIds(parents.get(), named)));
    }
    if (!attributes.empty()) {
      const RowSet having = RowsWithAny(batch_, FindArray(table, "id"), table->num_rows(),
                                        AttributesOf(kind), attributes);
      rows_.Intersect(RowsWithIds(*ids, CollectIds(parents.get(), having)));
    }
  }

  const Batch& batch_;
  const CompiledMatch& match_;
  Unanswered* unanswered_;
  RowSet rows_;
};

/// Keeps or drops the data points that match, and metrics that lose all of theirs.
Result<BatchPtr> FilterPoints(const BatchPtr& batch, const CompiledMatch& match, bool is_include,
                              Unanswered* unanswered) {
  const RowSet metrics = RootMatch(*batch, match, unanswered).Run();
  const ArrayPtr ids = FindArray(batch->root(), "id");
  const otap::IdSet metric_ids = CollectIds(ids.get(), metrics);
  otap::Selection selection;
  RowSet with_match(batch->num_root_rows());
  for (const TableInfo& info : otap::AllTables()) {
    const auto& table = batch->table(info.kind);
    if (info.parent != TableKind::kUnivariateMetrics || info.is_attributes || table == nullptr) {
      continue;
    }
    const ArrayPtr parents = FindArray(table, "parent_id");
    RowSet points = RowsWithIds(*parents, metric_ids);
    if (!match.point_attributes.empty()) {
      points.Intersect(RowsWithAny(*batch, FindArray(table, "id"), table->num_rows(),
                                   AttributesOf(info.kind), match.point_attributes));
    }
    NarrowItems(*batch, info.kind, match, &points, unanswered);
    with_match.Unite(RowsWithIds(*ids, CollectIds(parents.get(), points)));
    if (!is_include) {
      points.Invert();
    }
    selection.Set(info.kind, std::move(points));
  }
  if (is_include) {
    selection.Set(TableKind::kUnivariateMetrics, std::move(with_match));
  }
  return Filter(batch, selection, otap::EmptiedMetrics::kDrop);
}

Result<BatchPtr> ApplySide(const BatchPtr& batch, const CompiledMatch& match, bool is_include,
                           Unanswered* unanswered) {
  if (batch->signal() == otap::Signal::kMetrics && match.asks_points()) {
    return FilterPoints(batch, match, is_include, unanswered);
  }
  RowSet rows = RootMatch(*batch, match, unanswered).Run();
  if (!is_include) {
    rows.Invert();
  }
  return FilterRoots(batch, std::move(rows));
}

}  // namespace

template <typename Match>
Result<RecordFilter::Sides> RecordFilter::Compile(const IncludeExclude<Match>& config) {
  Sides sides;
  if (config.include.has_value()) {
    ARROW_ASSIGN_OR_RAISE(sides.include, CompileMatch(*config.include));
  }
  if (config.exclude.has_value()) {
    ARROW_ASSIGN_OR_RAISE(sides.exclude, CompileMatch(*config.exclude));
  }
  return sides;
}

Result<RecordFilter> RecordFilter::Make(const FilterConfig& config) {
  RecordFilter filter;
  const auto side_of = [&](otap::Signal signal) -> Sides& {
    return filter.sides_[static_cast<size_t>(signal)];
  };
  ARROW_ASSIGN_OR_RAISE(side_of(otap::Signal::kLogs), Compile(config.logs));
  ARROW_ASSIGN_OR_RAISE(side_of(otap::Signal::kTraces), Compile(config.traces));
  ARROW_ASSIGN_OR_RAISE(side_of(otap::Signal::kMetrics), Compile(config.metrics));
  return filter;
}

Result<BatchPtr> RecordFilter::Apply(const BatchPtr& batch, Unanswered* unanswered) const {
  const Sides& sides = sides_[static_cast<size_t>(batch->signal())];
  BatchPtr kept = batch;
  if (sides.include.has_value() && batch->num_root_rows() > 0) {
    ARROW_ASSIGN_OR_RAISE(kept, ApplySide(kept, *sides.include, true, unanswered));
  }
  if (sides.exclude.has_value() && kept != nullptr && kept->num_root_rows() > 0) {
    ARROW_ASSIGN_OR_RAISE(kept, ApplySide(kept, *sides.exclude, false, unanswered));
  }
  return kept;
}

}  // namespace df::nodes::processors::filter
