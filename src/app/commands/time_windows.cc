#include "app/commands/time_windows.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

namespace df::app {

TimeWindows::TimeWindows(std::vector<RowGroupTimes> row_groups, select::TimeRange range,
                         TimeOrder order)
    : range_(range), order_(order) {
  least_ = std::numeric_limits<int64_t>::max();
  most_ = std::numeric_limits<int64_t>::min();
  for (RowGroupTimes& group : row_groups) {
    if (!group.times.has_value()) {
      num_unknown_ += static_cast<double>(group.num_rows);
      continue;
    }
    if (group.num_rows == 0 || !range.MayHave(group.times->least, group.times->most)) {
      continue;
    }
    least_ = std::min(least_, group.times->least);
    most_ = std::max(most_, group.times->most);
    row_groups_.push_back(std::move(group));
  }
  most_ = std::min(most_, std::numeric_limits<int64_t>::max() - 1);
  if (range_.from.has_value()) {
    least_ = std::max(least_, *range_.from);
  }
  if (range_.to.has_value()) {
    most_ = std::min(most_, *range_.to - 1);
  }
}

/// Rows whose times are at least `from` and less than `to`, as if those of a row group lay evenly.
double TimeWindows::RowsBetween(int64_t from, int64_t to) const {
  double rows = 0;
  for (const RowGroupTimes& group : row_groups_) {
    const double least = static_cast<double>(group.times->least);
    const double end = static_cast<double>(group.times->most) + 1;
    const double begin = std::max(least, static_cast<double>(from));
    const double share = (std::min(end, static_cast<double>(to)) - begin) / (end - least);
    rows += std::clamp(share, 0.0, 1.0) * static_cast<double>(group.num_rows);
  }
  return rows;
}

std::optional<select::TimeRange> TimeWindows::Next(int64_t num_rows) {
  if (is_done_) {
    return std::nullopt;
  }
  if (row_groups_.empty() || least_ > most_) {
    is_done_ = true;  // one window of everything: what has no statistics
    return range_;
  }
  const double wanted = std::max(static_cast<double>(num_rows), num_unknown_);
  return order_ == TimeOrder::kOldestFirst ? NextOldest(wanted) : NextNewest(wanted);
}

std::optional<select::TimeRange> TimeWindows::NextOldest(double num_rows) {
  const int64_t begin = edge_.value_or(least_);
  std::erase_if(row_groups_, [&](const auto& group) { return group.times->most < begin; });
  // The earliest end at which there are enough rows.
  int64_t low = begin;
  int64_t high = most_;
  while (low < high) {
    const int64_t middle = std::midpoint(low, high);
    if (RowsBetween(begin, middle + 1) >= num_rows) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  select::TimeRange window = {edge_.has_value() ? edge_ : range_.from, low + 1};
  if (low >= most_) {
    is_done_ = true;
    window.to = range_.to;
  }
  edge_ = low + 1;
  return window;
}

std::optional<select::TimeRange> TimeWindows::NextNewest(double num_rows) {
  const int64_t end = edge_.value_or(most_ + 1);
  std::erase_if(row_groups_, [&](const auto& group) { return group.times->least >= end; });
  // The latest begin at which there are enough rows.
  int64_t low = least_;
  int64_t high = end - 1;
  while (low < high) {
    const int64_t middle = std::midpoint(high, low);  // rounds up
    if (RowsBetween(middle, end) >= num_rows) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  select::TimeRange window = {low, edge_.has_value() ? edge_ : range_.to};
  if (low <= least_) {
    is_done_ = true;
    window.from = range_.from;
  }
  edge_ = low;
  return window;
}

}  // namespace df::app
