#include "select/selector.h"

#include <span>
#include <string_view>
#include <utility>

#include <arrow/api.h>
#include <arrow/util/checked_cast.h>

#include "otap/filter.h"
#include "otap/rows.h"

namespace df::select {
namespace {

using arrow::internal::checked_cast;
using otap::RowSet;
using otap::TableKind;

/// Fills each entry that is still 0 with the time of its row in a column.
void FillTimes(const arrow::RecordBatch& rows, const std::string& name,
               std::vector<int64_t>* times) {
  const auto column = rows.GetColumnByName(name);
  if (column == nullptr) {
    return;
  }
  const auto& values = checked_cast<const arrow::TimestampArray&>(*column);
  for (int64_t row = 0; row < values.length(); ++row) {
    int64_t& time = (*times)[static_cast<size_t>(row)];
    time = time != 0 || values.IsNull(row) ? time : values.Value(row);
  }
}

RowSet WithTraceId(const arrow::RecordBatch& rows, const std::unordered_set<std::string>& wanted) {
  RowSet found(rows.num_rows());
  const auto column = rows.GetColumnByName("trace_id");
  if (column == nullptr) {
    return found;
  }
  const bool is_coded = column->type_id() == arrow::Type::DICTIONARY;
  const auto* coded = is_coded ? &checked_cast<const arrow::DictionaryArray&>(*column) : nullptr;
  const auto& ids =
      checked_cast<const arrow::FixedSizeBinaryArray&>(is_coded ? *coded->dictionary() : *column);
  std::vector<uint8_t> is_wanted(static_cast<size_t>(ids.length()));
  for (int64_t i = 0; i < ids.length(); ++i) {
    is_wanted[static_cast<size_t>(i)] =
        !ids.IsNull(i) && wanted.contains(std::string(ids.GetView(i))) ? 1 : 0;
  }
  found.SetWhere([&](int64_t row) {
    return !column->IsNull(row) &&
           is_wanted[static_cast<size_t>(is_coded ? coded->GetValueIndex(row) : row)] != 0;
  });
  return found;
}

/// Columns of the time that selection goes by: a later one counts where those before are not set.
std::span<const std::string_view> TimeColumns(TableKind table) {
  static constexpr std::array<std::string_view, 1> kStart = {"start_time_unix_nano"};
  static constexpr std::array<std::string_view, 2> kTimes = {"time_unix_nano",
                                                             "observed_time_unix_nano"};
  if (table == TableKind::kSpans) {
    return kStart;
  }
  return std::span(kTimes).first(table == TableKind::kLogs ? 2 : 1);
}

bool IsPoints(const otap::TableInfo& info) {
  return info.parent == TableKind::kUnivariateMetrics && !info.is_attributes;
}

}  // namespace

std::vector<int64_t> EventTimes(const arrow::RecordBatch& rows, TableKind table) {
  std::vector<int64_t> times(static_cast<size_t>(rows.num_rows()));
  for (const std::string_view column : TimeColumns(table)) {
    FillTimes(rows, std::string(column), &times);
  }
  return times;
}

Selector Selector::WithTraces(
    std::array<std::vector<TraceIdsPtr>, otap::kAllSignals.size()> found) const {
  Wishes wishes = wishes_;
  for (size_t i = 0; i < found.size(); ++i) {
    if (wishes.where[i].has_value()) {
      wishes.where[i] = wishes.where[i]->WithTraces(std::move(found[i]));
    }
  }
  return Selector(std::move(wishes));
}

const TraceIds* Selector::NeededTraces(otap::Signal signal) const {
  const auto& where = wishes_.where[static_cast<size_t>(signal)];
  return where.has_value() ? where->needed_traces() : nullptr;
}

bool Selector::TakesAll(otap::Signal signal) const {
  return wishes_.time.is_everything() && !wishes_.trace_ids.has_value() &&
         !wishes_.where[static_cast<size_t>(signal)].has_value();
}

bool Selector::CanScreen(otap::Signal signal) const {
  const auto& where = wishes_.where[static_cast<size_t>(signal)];
  const bool has_part = where.has_value() && where->has_root_part();
  return has_part || wishes_.trace_ids.has_value() ||
         (signal != otap::Signal::kMetrics && !wishes_.time.is_everything());
}

std::vector<std::string_view> Selector::ScreenColumns(otap::Signal signal) const {
  std::vector<std::string_view> columns;
  if (signal == otap::Signal::kMetrics && wishes_.trace_ids.has_value()) {
    return columns;  // none is wanted
  }
  const auto& where = wishes_.where[static_cast<size_t>(signal)];
  if (where.has_value() && where->has_root_part()) {
    columns = where->RootPartColumns();
  }
  if (signal != otap::Signal::kMetrics && wishes_.trace_ids.has_value()) {
    columns.emplace_back("trace_id");
  }
  if (signal != otap::Signal::kMetrics && !wishes_.time.is_everything()) {
    for (const std::string_view column : TimeColumns(otap::RootTable(signal))) {
      columns.push_back(column);
    }
  }
  return columns;
}

const std::vector<AttributeNeeds>& Selector::NeedsOf(otap::Signal signal) const {
  static const std::vector<AttributeNeeds> kNone;
  const auto& where = wishes_.where[static_cast<size_t>(signal)];
  return where.has_value() ? where->attribute_needs() : kNone;
}

RowSet Selector::Screen(const otap::Batch& batch, RowSet* failed) const {
  const TableKind root = otap::RootTable(batch.signal());
  const bool is_metrics = batch.signal() == otap::Signal::kMetrics;
  RowSet wanted = is_metrics ? RowSet(batch.num_root_rows(), !wishes_.trace_ids.has_value())
                             : InTimeAndTraces(*batch.root(), root);
  const auto& where = wishes_.where[static_cast<size_t>(batch.signal())];
  if (wanted.Count() == 0 || !where.has_value() || !where->has_root_part()) {
    return wanted;
  }
  Answer answer = where->AskRootPart(batch, wanted);
  answer.yes.Unite(answer.failed);  // counted where the payload is put together
  if (failed != nullptr) {
    *failed = std::move(answer.failed);
  }
  return std::move(answer.yes);
}

RowSet Selector::InTimeAndTraces(const arrow::RecordBatch& rows, TableKind table) const {
  RowSet wanted(rows.num_rows(), true);
  if (!wishes_.time.is_everything()) {
    const std::vector<int64_t> times = EventTimes(rows, table);
    RowSet in_time(rows.num_rows());
    in_time.SetWhere(
        [&](int64_t row) { return wishes_.time.Has(times[static_cast<size_t>(row)]); });
    wanted.Intersect(in_time);
  }
  if (wishes_.trace_ids.has_value()) {
    wanted.Intersect(WithTraceId(rows, *wishes_.trace_ids));
  }
  return wanted;
}

/// Sets `failed` to the rows for which the condition has no answer.
RowSet Selector::Ask(const otap::Batch& batch, TableKind table, RowSet* failed,
                     Selected* selected) const {
  RowSet wanted = InTimeAndTraces(*batch.table(table), table);
  const auto& where = wishes_.where[static_cast<size_t>(batch.signal())];
  if (where.has_value() && wanted.Count() > 0) {
    Answer answer = where->Ask(batch, table, wanted);
    wanted = std::move(answer.yes);
    *failed = std::move(answer.failed);
    selected->num_failed += failed->Count();
    if (selected->first_failure.empty()) {
      selected->first_failure = std::move(answer.first_failure);
    }
  }
  return wanted;
}

Result<Selected> Selector::Select(const otap::BatchPtr& batch) const {
  Selected selected{.batch = batch,
                    .num_roots = batch->num_root_rows(),
                    .num_roots_failed = 0,
                    .num_failed = 0,
                    .first_failure = ""};
  if (TakesAll(batch->signal()) || batch->root() == nullptr) {
    return selected;
  }
  const TableKind root = otap::RootTable(batch->signal());
  otap::Selection rows;
  if (batch->signal() != otap::Signal::kMetrics) {
    RowSet failed(batch->num_root_rows());
    RowSet wanted = Ask(*batch, root, &failed, &selected);
    selected.num_roots = wanted.Count();
    selected.num_roots_failed = failed.Count();
    rows.Set(root, std::move(wanted));
  } else {
    RowSet metrics(batch->num_root_rows());
    RowSet unanswered(batch->num_root_rows());
    const auto ids = otap::FindArray(batch->root(), "id");
    for (const otap::TableInfo& info : otap::AllTables()) {
      const auto& points = batch->table(info.kind);
      if (!IsPoints(info) || points == nullptr) {
        continue;
      }
      RowSet failed(points->num_rows());
      RowSet wanted = Ask(*batch, info.kind, &failed, &selected);
      if (ids != nullptr) {
        const auto parents = otap::FindArray(points, "parent_id");
        metrics.Unite(otap::RowsWithIds(*ids, otap::CollectIds(parents.get(), wanted)));
        unanswered.Unite(otap::RowsWithIds(*ids, otap::CollectIds(parents.get(), failed)));
      }
      rows.Set(info.kind, std::move(wanted));
    }
    selected.num_roots = metrics.Count();
    unanswered.Unite(metrics);
    selected.num_roots_failed = unanswered.Count() - selected.num_roots;
    rows.Set(root, std::move(metrics));
  }
  if (selected.num_roots == 0) {
    selected.batch = nullptr;
    return selected;
  }
  ARROW_ASSIGN_OR_RAISE(selected.batch, otap::Filter(batch, rows));
  return selected;
}

}  // namespace df::select
