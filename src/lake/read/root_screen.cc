#include "lake/read/root_screen.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "lake/format/leaf.h"
#include "lake/format/parquet_exceptions.h"
#include "lake/read/assemble.h"
#include "lake/scan/reservation.h"

namespace df::lake {
namespace {

/// Where more than three of four rows of a row group are wanted, its columns are read twice for
/// little: the next ones are read at once.
constexpr int kPassedGroups = 7;

bool IsMuch(int64_t num_wanted, int64_t num_rows) { return num_wanted > num_rows / 4 * 3; }

/// Returns the leaves of columns, or of all in a struct, as Condition::RootPartColumns names them.
std::vector<bool> LeavesNamed(otap::TableKind kind, const std::vector<std::string_view>& columns) {
  std::vector<bool> wanted;
  for (const Leaf& leaf : LeavesOf(kind)) {
    wanted.push_back(
        std::any_of(columns.begin(), columns.end(), [&](const std::string_view column) {
          return leaf.path() == column || (leaf.parent != nullptr && leaf.parent->name == column &&
                                           leaf.column->role == otap::ColumnRole::kData);
        }));
  }
  return wanted;
}

}  // namespace

RootScreen::RootScreen(std::shared_ptr<const select::Selector> selector, otap::Signal signal,
                       int64_t most_between, ReadContext* context)
    : selector_(std::move(selector)),
      signal_(signal),
      most_between_(most_between),
      context_(context) {
  if (selector_ != nullptr && (selector_->TakesAll(signal) || !selector_->CanScreen(signal))) {
    selector_ = nullptr;
  }
  if (selector_ != nullptr) {
    leaves_ = LeavesNamed(otap::RootTable(signal), selector_->ScreenColumns(signal));
  }
}

std::optional<std::vector<RowStretch>> RootScreen::Ask(TableFile* file, int row_group,
                                                       const RowGroupSummary& summary) {
  if (selector_ == nullptr) {
    return std::nullopt;
  }
  if (!MayHaveTraces(file, row_group)) {
    Count(SkipCause::kTraceIds,
          {.row_groups = 1, .rows = summary.num_rows, .bytes = file->stored_bytes(row_group)});
    return std::vector<RowStretch>();
  }
  if (!IsWorthwhile(summary)) {
    return std::nullopt;
  }
  auto stretches = CatchParquet({}, [&] { return ReadColumns(file, row_group); });
  if (!stretches.ok()) {
    return std::nullopt;
  }
  int64_t num_wanted = 0;
  for (const RowStretch& stretch : *stretches) {
    num_wanted += stretch.end - stretch.first;
  }
  num_to_pass_ = IsMuch(num_wanted, summary.num_rows) ? kPassedGroups : 0;
  if (stretches->empty()) {
    Count(SkipCause::kColumns,
          {.row_groups = 1,
           .rows = summary.num_rows,
           .bytes = file->stored_bytes(row_group) - file->stored_bytes(row_group, leaves_)});
  }
  return *std::move(stretches);
}

void RootScreen::Count(SkipCause cause, const SkipCounts& counts) {
  context_->report->skipped(cause).Add(counts);
}

bool RootScreen::MayHaveTraces(TableFile* file, int row_group) const {
  const auto& wanted = selector_->wishes().trace_ids;
  if (!wanted.has_value() || signal_ == otap::Signal::kMetrics) {
    return true;
  }
  const std::vector<std::string_view> ids(wanted->begin(), wanted->end());
  return file->MayHaveAny(row_group, LeafIndex(file->kind(), "trace_id"), ids);
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

Result<std::vector<RowStretch>> RootScreen::ReadColumns(TableFile* file, int row_group) {
  std::vector<RowStretch> stretches;
  const int64_t num_rows = file->num_rows(row_group);
  ARROW_ASSIGN_OR_RAISE(const auto stream,
                        file->OpenRowGroup(row_group, leaves_, context_->limits));
  const int64_t slice_rows = SliceRows(*file, row_group, leaves_, context_->slice_bytes);
  Reservation held(context_->budget);
  for (int64_t row = 0; row < num_rows;) {
    if (!context_->budget->Fits(context_->slice_bytes)) {
      context_->make_room();
    }
    ARROW_ASSIGN_OR_RAISE(DecodedRows decoded, stream->Next(std::min(slice_rows, num_rows - row)));
    const int64_t count = decoded.num_rows;
    held.Set(SliceBytes(decoded.leaves) + stream->large_bytes());
    ARROW_ASSIGN_OR_RAISE(const otap::RowSet wanted, Screen(std::move(decoded)));
    Add(row, wanted, &stretches);
    row += count;
  }
  return stretches;
}

Result<otap::RowSet> RootScreen::Screen(DecodedRows decoded) const {
  const auto slice = std::make_shared<TableSlice>();
  slice->num_rows = decoded.num_rows;
  slice->leaves = std::move(decoded.leaves);
  const Piece piece{.slice = slice, .offset = 0, .length = slice->num_rows, .selection = nullptr};
  const otap::TableKind root = otap::RootTable(signal_);
  ARROW_ASSIGN_OR_RAISE(auto table, AssembleTable(root, std::span(&piece, 1), NewIds{}));
  otap::BatchBuilder builder(signal_);
  ARROW_RETURN_NOT_OK(builder.Set(root, std::move(table)));
  otap::RowSet wanted = selector_->Screen(*builder.Build());
  for (const RefusedRows& rows : decoded.refused) {  // named where they are read again
    for (int64_t row = rows.first_row; row < rows.first_row + rows.num_rows; ++row) {
      wanted.Set(row);
    }
  }
  return wanted;
}

void RootScreen::Add(int64_t first_row, const otap::RowSet& rows,
                     std::vector<RowStretch>* stretches) const {
  rows.ForEach([&](int64_t row) {
    const int64_t at = first_row + row;
    if (!stretches->empty() && at - stretches->back().end <= most_between_) {
      stretches->back().end = at + 1;
    } else {
      stretches->push_back({at, at + 1});
    }
  });
}

}  // namespace df::lake
