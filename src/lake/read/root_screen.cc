#include "lake/read/root_screen.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "lake/format/leaf.h"
#include "lake/format/parquet_exceptions.h"
#include "lake/read/leaf_scan.h"

namespace df::lake {
namespace {

/// Where more than three of four rows of a row group are wanted, its columns are read twice for
/// little: the next ones are read at once.
constexpr int kPassedGroups = 7;

/// A row group has some of more traces than these in all likelihood.
constexpr size_t kMostIdsLookedUp = 1024;

bool IsMuch(int64_t num_wanted, int64_t num_rows) { return num_wanted > num_rows / 4 * 3; }

/// Tells whether a column is named as a leaf: "scope.name", say.
bool IsNamed(const Leaf& leaf, std::string_view column) {
  if (leaf.parent == nullptr) {
    return leaf.column->name == column;
  }
  const std::string_view outer = leaf.parent->name;
  return column.size() > outer.size() && column.starts_with(outer) && column[outer.size()] == '.' &&
         column.substr(outer.size() + 1) == leaf.column->name;
}

/// Returns the leaves of columns, or of all in a struct, as Condition::RootPartColumns names them.
std::vector<bool> LeavesNamed(otap::TableKind kind, const std::vector<std::string_view>& columns) {
  std::vector<bool> wanted;
  for (const Leaf& leaf : LeavesOf(kind)) {
    wanted.push_back(
        std::any_of(columns.begin(), columns.end(), [&](const std::string_view column) {
          return IsNamed(leaf, column) || (leaf.parent != nullptr && leaf.parent->name == column &&
                                           leaf.column->role == otap::ColumnRole::kData);
        }));
  }
  return wanted;
}

/// The table that has the attributes of a place.
otap::TableKind AttributesAt(select::Place place, otap::TableKind root) {
  switch (place) {
    case select::Place::kResource:
      return otap::TableKind::kResourceAttrs;
    case select::Place::kScope:
      return otap::TableKind::kScopeAttrs;
    case select::Place::kItem:
    case select::Place::kMetric:
      break;
  }
  return root == otap::TableKind::kLogs ? otap::TableKind::kLogAttrs : otap::TableKind::kSpanAttrs;
}

}  // namespace

RootScreen::RootScreen(std::shared_ptr<const select::Selector> selector,
                       const PartitionFiles& files, otap::Signal signal, int64_t most_between,
                       ReadContext* context)
    : selector_(std::move(selector)),
      signal_(signal),
      most_between_(most_between),
      context_(context) {
  if (selector_ != nullptr &&
      (selector_->TakesAll(signal) ||
       (!selector_->CanScreen(signal) && selector_->NeedsOf(signal).empty()))) {
    selector_ = nullptr;
  }
  if (selector_ == nullptr) {
    return;
  }
  if (selector_->CanScreen(signal)) {
    leaves_ = LeavesNamed(otap::RootTable(signal), selector_->ScreenColumns(signal));
  }
  for (const select::AttributeNeeds& need : selector_->NeedsOf(signal)) {
    const otap::TableKind table = AttributesAt(need.place, otap::RootTable(signal));
    needs_.push_back(
        {.place = need.place,
         .table = std::make_unique<AttributeScreen>(table, files.of(table), need.any_of, context)});
  }
}

void RootScreen::FetchAhead(const std::vector<FileSummaryPtr>& roots,
                            const Prefetcher::IsNeeded& is_needed) {
  if (selector_ == nullptr || context_->store->is_local() || context_->store->ahead_bytes() == 0) {
    return;
  }
  const otap::TableKind root = otap::RootTable(signal_);
  auto plan = std::make_shared<ScreenPlan>();
  plan->leaves = leaves_.empty() ? std::vector<bool>(LeavesOf(root).size(), false) : leaves_;
  auto trace_ids = TracesLookedUp();
  if (!trace_ids.has_value()) {
    return;
  }
  plan->trace_ids = *std::move(trace_ids);
  ahead_ = std::make_unique<Prefetcher>(context_->store, context_->base, context_->partition);
  IdRanges ids;
  for (const Need& need : needs_) {
    if (need.place != select::Place::kItem || !plan->trace_ids.empty()) {
      continue;
    }
    plan->leaves[static_cast<size_t>(LeafIndex(root, "id"))] = true;
    for (const FileSummaryPtr& file : roots) {
      for (const RowGroupSummary& group : file->row_groups) {
        if (is_needed(group)) {
          ids.Add(group.ids.value_or(IdRange{0, UINT32_MAX}));
        }
      }
    }
    need.table->FetchAhead(ahead_.get(), ids);
  }
  ahead_->Add(roots, is_needed, std::move(plan));
  context_->screens = ahead_.get();
}

/// Returns the ids that bloom filters are asked about; none where the selection names no traces,
/// nothing where these are too many, or no row can have one of them.
std::optional<std::vector<std::string>> RootScreen::TracesLookedUp() const {
  std::vector<std::string> ids;
  if (signal_ == otap::Signal::kMetrics) {
    return ids;
  }
  if (const auto& wanted = selector_->wishes().trace_ids; wanted.has_value()) {
    if (wanted->empty() || wanted->size() > kMostIdsLookedUp) {
      return std::nullopt;
    }
    ids.assign(wanted->begin(), wanted->end());
  } else if (const select::TraceIds* needed = selector_->NeededTraces(signal_); needed != nullptr) {
    if (needed->ids().empty() || needed->ids().size() > kMostIdsLookedUp) {
      return std::nullopt;
    }
    for (const select::TraceId& id : needed->ids()) {
      ids.emplace_back(reinterpret_cast<const char*>(id.data()), sizeof(id));
    }
  }
  return ids;
}

std::optional<RowStretches> RootScreen::Ask(TableFile* file, int row_group,
                                            const RowGroupSummary& summary) {
  if (selector_ == nullptr) {
    return std::nullopt;
  }
  for (const Need& need : needs_) {
    if (need.place == select::Place::kItem && summary.ids.has_value()) {
      need.table->LeaveBefore(summary.ids->min);
    }
  }
  if (!MayHaveTraces(file, row_group)) {
    Count(SkipCause::kTraceIds,
          {.row_groups = 1, .rows = summary.num_rows, .bytes = file->stored_bytes(row_group)});
    return RowStretches();
  }
  if (!IsWorthwhile(summary)) {
    return std::nullopt;
  }
  auto stretches = CatchParquet({}, [&] { return AskColumns(file, row_group, summary); });
  if (!stretches.ok()) {
    return std::nullopt;
  }
  int64_t num_wanted = 0;
  for (const RowStretch& stretch : *stretches) {
    num_wanted += stretch.end - stretch.first;
  }
  num_to_pass_ = IsMuch(num_wanted, summary.num_rows) ? kPassedGroups : 0;
  return *std::move(stretches);
}

void RootScreen::Count(SkipCause cause, const SkipCounts& counts) {
  context_->report->skipped(cause).Add(counts);
}

bool RootScreen::MayHaveTraces(TableFile* file, int row_group) const {
  if (signal_ == otap::Signal::kMetrics) {
    return true;
  }
  const int leaf = LeafIndex(file->kind(), "trace_id");
  if (const auto& wanted = selector_->wishes().trace_ids; wanted.has_value()) {
    const std::vector<std::string_view> ids(wanted->begin(), wanted->end());
    if (!file->MayHaveAny(row_group, leaf, ids)) {
      return false;
    }
  }
  const select::TraceIds* needed = selector_->NeededTraces(signal_);
  if (needed == nullptr || needed->ids().size() > kMostIdsLookedUp) {
    return true;
  }
  if (needed->ids().empty()) {
    return false;
  }
  std::vector<std::string_view> ids;
  for (const select::TraceId& id : needed->ids()) {
    ids.emplace_back(reinterpret_cast<const char*>(id.data()), sizeof(id));
  }
  return file->MayHaveAny(row_group, leaf, ids);
}

bool RootScreen::IsWorthwhile(const RowGroupSummary& summary) {
  if (num_to_pass_ > 0) {
    --num_to_pass_;
    return false;
  }
  const select::Wishes& wishes = selector_->wishes();
  const bool is_by_time_only =
      !wishes.trace_ids.has_value() && !wishes.where[static_cast<size_t>(signal_)].has_value();
  // Rows that statistics promise are asked one by one all the same, when they are put together.
  return !is_by_time_only || !summary.times.has_value() || !wishes.time.Has(summary.times->least) ||
         !wishes.time.Has(summary.times->most);
}

Result<RowStretches> RootScreen::AskColumns(TableFile* file, int row_group,
                                            const RowGroupSummary& summary) {
  const int64_t num_rows = file->num_rows(row_group);
  otap::RowSet wanted(num_rows, true);
  otap::RowSet failed(num_rows);
  int64_t read_bytes = 0;
  if (!leaves_.empty()) {
    wanted = otap::RowSet(num_rows);
    ARROW_RETURN_NOT_OK(ReadColumns(file, row_group, &wanted, &failed));
    read_bytes = file->stored_bytes(row_group, leaves_);
  }
  SkipCause cause = SkipCause::kColumns;
  if (!needs_.empty() && wanted.Count() > 0) {
    otap::RowSet candidates = wanted;
    failed.Invert();
    candidates.Intersect(failed);
    ARROW_RETURN_NOT_OK(ReadAttributes(file, row_group, std::move(candidates), &wanted));
    cause = SkipCause::kAttributes;
  }
  RowStretches stretches = StretchesOf(wanted);
  if (stretches.empty()) {
    Count(cause, {.row_groups = 1,
                  .rows = summary.num_rows,
                  .bytes = file->stored_bytes(row_group) - read_bytes});
  }
  return stretches;
}

Status RootScreen::ReadColumns(TableFile* file, int row_group, otap::RowSet* wanted,
                               otap::RowSet* failed) const {
  const otap::TableKind root = otap::RootTable(signal_);
  return VisitRows(file, row_group, leaves_, context_, [&](int64_t first, DecodedRows rows) {
    const std::vector<RefusedRows> refused = std::move(rows.refused);
    const int64_t count = rows.num_rows;
    ARROW_ASSIGN_OR_RAISE(auto table, AssembleRows(root, std::move(rows)));
    otap::BatchBuilder builder(signal_);
    ARROW_RETURN_NOT_OK(builder.Set(root, std::move(table)));
    otap::RowSet without_answer(count);
    selector_->Screen(*builder.Build(), &without_answer).ForEach([&](int64_t row) {
      wanted->Set(first + row);
    });
    without_answer.ForEach([&](int64_t row) { failed->Set(first + row); });
    for (const RefusedRows& run : refused) {  // named where they are read again
      for (int64_t row = first + run.first_row; row < first + run.first_row + run.num_rows; ++row) {
        wanted->Set(row);
        failed->Set(row);
      }
    }
    return Status::OK();
  });
}

/// Takes rows out of `wanted` that lack an attribute. `candidates`: those for which the condition
/// has an answer so far.
Status RootScreen::ReadAttributes(TableFile* file, int row_group, otap::RowSet candidates,
                                  otap::RowSet* wanted) {
  for (const Need& need : needs_) {
    const bool is_item = need.place == select::Place::kItem;
    if (!is_item && !file->has_partition_scope_ids()) {
      // What the ids of resources mean is not known here; nobody may have what nobody has.
      ARROW_ASSIGN_OR_RAISE(const bool may_have_any, need.table->MayHaveAny());
      if (may_have_any) {
        return Status::OK();
      }
      candidates.ForEach([&](int64_t row) { wanted->Clear(row); });
      return Status::OK();
    }
    const char* group = need.place == select::Place::kResource ? "resource" : "scope";
    const int leaf = is_item ? LeafIndex(file->kind(), "id") : LeafIndex(file->kind(), group, "id");
    ARROW_ASSIGN_OR_RAISE(const IdColumn ids, file->ReadIds(row_group, leaf));
    ARROW_ASSIGN_OR_RAISE(const auto matches, need.table->Ask(ids, candidates));
    otap::RowSet asked = candidates;
    asked.ForEach([&](int64_t row) {
      const AttributeMatch match = matches[static_cast<size_t>(row)];
      if (match != AttributeMatch::kWith) {
        candidates.Clear(row);
      }
      // Statistics may hide the attributes of an id: only what was seen proves anything.
      if (match == AttributeMatch::kWithout || !ids.is_valid(row)) {
        wanted->Clear(row);
      }
    });
  }
  return Status::OK();
}

RowStretches RootScreen::StretchesOf(const otap::RowSet& rows) const {
  RowStretches stretches;
  rows.ForEach([&](int64_t row) {
    if (!stretches.empty() && row - stretches.back().end <= most_between_) {
      stretches.back().end = row + 1;
    } else {
      stretches.push_back({row, row + 1});
    }
  });
  return stretches;
}

}  // namespace df::lake
