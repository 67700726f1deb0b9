#include "nodes/receivers/parquet/row_states.h"

#include <algorithm>
#include <iterator>

namespace df::nodes::receivers::parquet {
namespace {

RowState Next(RowState before, RowState state) {
  const bool was_sent = before == RowState::kInFlight || before == RowState::kRefused ||
                        before == RowState::kDeadLetter;
  const bool is_sent = state == RowState::kInFlight || state == RowState::kRefused ||
                       state == RowState::kDeadLetter || state == RowState::kDelivered;
  if (before == RowState::kDelivered || (was_sent && !is_sent)) {
    return before;
  }
  return state;
}

}  // namespace

RowStates::RowStates(int64_t num_rows) : num_rows_(num_rows) {
  if (num_rows > 0) {
    runs_.emplace(0, RowState::kUnread);
  }
  counts_[static_cast<size_t>(RowState::kUnread)] = num_rows;
}

void RowStates::SplitAt(int64_t row) {
  if (row <= 0 || row >= num_rows_) {
    return;
  }
  const auto run = std::prev(runs_.upper_bound(row));
  runs_.emplace_hint(std::next(run), row, run->second);
}

void RowStates::Set(int64_t first, int64_t count, RowState state) {
  const int64_t end = std::min(first + count, num_rows_);
  first = std::max<int64_t>(first, 0);
  if (first >= end) {
    return;
  }
  SplitAt(first);
  SplitAt(end);
  auto run = runs_.find(first);
  while (run != runs_.end() && run->first < end) {
    const auto next = std::next(run);
    const int64_t length = (next == runs_.end() ? num_rows_ : next->first) - run->first;
    counts_[static_cast<size_t>(run->second)] -= length;
    run->second = Next(run->second, state);
    counts_[static_cast<size_t>(run->second)] += length;
    const bool joins = run != runs_.begin() && std::prev(run)->second == run->second;
    run = joins ? runs_.erase(run) : next;
  }
  if (run != runs_.end() && run != runs_.begin() && std::prev(run)->second == run->second) {
    runs_.erase(run);
  }
}

}  // namespace df::nodes::receivers::parquet
