#include "app/commands/time_windows.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace df::app {
namespace {

/// Where rows begin, or cease, to lie.
struct Change {
  int64_t time = 0;
  long double rows_per_nano = 0;  ///< added from here on
  int num_groups = 0;             ///< 1 or -1
};

long double Between(int64_t from, int64_t to) {
  return static_cast<long double>(to) - static_cast<long double>(from);
}

}  // namespace

TimeWindows::TimeWindows(std::vector<RowGroupTimes> row_groups, select::TimeRange range,
                         TimeOrder order)
    : range_(range), order_(order) {
  least_ = std::numeric_limits<int64_t>::max();
  most_ = std::numeric_limits<int64_t>::min();
  std::vector<Change> changes;
  for (const RowGroupTimes& group : row_groups) {
    if (!group.times.has_value()) {
      num_unknown_ += static_cast<long double>(group.num_rows);
      continue;
    }
    if (group.num_rows == 0 || !range.MayHave(group.times->least, group.times->most)) {
      continue;
    }
    const int64_t last = std::min(group.times->most, std::numeric_limits<int64_t>::max() - 1);
    const int64_t first = std::min(group.times->least, last);
    const long double rate = static_cast<long double>(group.num_rows) / Between(first, last + 1);
    changes.push_back({first, rate, 1});
    changes.push_back({last + 1, -rate, -1});
    least_ = std::min(least_, first);
    most_ = std::max(most_, last);
  }
  std::sort(changes.begin(), changes.end(),
            [](const Change& a, const Change& b) { return a.time < b.time; });
  long double rate = 0;
  long double rows = 0;
  int num_groups = 0;
  for (const Change& change : changes) {
    if (edges_.empty() || edges_.back() != change.time) {
      rows +=
          edges_.empty() ? 0 : std::max<long double>(rate, 0) * Between(edges_.back(), change.time);
      edges_.push_back(change.time);
      rows_.push_back(rows);
    }
    num_groups += change.num_groups;
    // What rounding leaves must not become rows of a long gap.
    rate = num_groups == 0 ? 0 : rate + change.rows_per_nano;
  }
  if (range_.from.has_value()) {
    least_ = std::max(least_, *range_.from);
  }
  if (range_.to.has_value()) {
    most_ = std::min(most_, *range_.to - 1);
  }
}

long double TimeWindows::RowsBefore(int64_t time) const {
  const auto next = std::upper_bound(edges_.begin(), edges_.end(), time);
  if (next == edges_.begin()) {
    return 0;
  }
  const auto at = static_cast<size_t>(next - edges_.begin()) - 1;
  if (next == edges_.end()) {
    return rows_[at];
  }
  return rows_[at] + (rows_[at + 1] - rows_[at]) * Between(edges_[at], time) /
                         Between(edges_[at], edges_[at + 1]);
}

long double TimeWindows::TimeOf(long double num_rows) const {
  const auto next = std::lower_bound(rows_.begin(), rows_.end(), num_rows);
  if (next == rows_.begin() || next == rows_.end()) {
    return static_cast<long double>(next == rows_.begin() ? edges_.front() : edges_.back());
  }
  const auto at = static_cast<size_t>(next - rows_.begin()) - 1;
  return static_cast<long double>(edges_[at]) +
         Between(edges_[at], edges_[at + 1]) * (num_rows - rows_[at]) / (rows_[at + 1] - rows_[at]);
}

std::optional<select::TimeRange> TimeWindows::Next(int64_t num_rows) {
  if (is_done_) {
    return std::nullopt;
  }
  if (edges_.empty() || least_ > most_) {
    is_done_ = true;  // one window of everything: what has no statistics
    return range_;
  }
  const long double wanted = std::max(static_cast<long double>(num_rows), num_unknown_);
  return order_ == TimeOrder::kOldestFirst ? NextOldest(wanted) : NextNewest(wanted);
}

std::optional<select::TimeRange> TimeWindows::NextOldest(long double num_rows) {
  const int64_t begin = edge_.value_or(least_);
  const long double end = std::ceil(TimeOf(RowsBefore(begin) + num_rows));
  select::TimeRange window = {edge_.has_value() ? edge_ : range_.from, std::nullopt};
  if (begin >= most_ || end > static_cast<long double>(most_)) {
    is_done_ = true;
    window.to = range_.to;
    return window;
  }
  edge_ = std::max(static_cast<int64_t>(end), begin + 1);
  window.to = edge_;
  return window;
}

std::optional<select::TimeRange> TimeWindows::NextNewest(long double num_rows) {
  const int64_t end = edge_.value_or(most_ + 1);
  const long double begin = std::floor(TimeOf(RowsBefore(end) - num_rows));
  select::TimeRange window = {std::nullopt, edge_.has_value() ? edge_ : range_.to};
  if (end - 1 <= least_ || begin <= static_cast<long double>(least_)) {
    is_done_ = true;
    window.from = range_.from;
    return window;
  }
  edge_ = std::min(static_cast<int64_t>(begin), end - 1);
  window.from = edge_;
  return window;
}

}  // namespace df::app
