// Which rows of a file.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>

namespace df::lake {

/// A set of rows of one file, as runs inside its row groups. Shape: runs of a row group neither
/// touch nor overlap, so a file whose rows come in order has one a row group.
class RowRanges {
 public:
  void Add(int row_group, int64_t first, int64_t num_rows) {
    if (num_rows <= 0) {
      return;
    }
    auto& runs = groups_[row_group];
    int64_t begin = first;
    int64_t end = first + num_rows;
    auto run = runs.upper_bound(begin);
    if (run != runs.begin() && std::prev(run)->second >= begin) {
      --run;
    }
    while (run != runs.end() && run->first <= end) {
      begin = std::min(begin, run->first);
      end = std::max(end, run->second);
      num_rows_ -= run->second - run->first;
      run = runs.erase(run);
    }
    runs.emplace(begin, end);
    num_rows_ += end - begin;
  }

  void Add(const RowRanges& other) {
    for (const auto& [group, runs] : other.groups_) {
      for (const auto& [begin, end] : runs) {
        Add(group, begin, end - begin);
      }
    }
  }

  void Remove(int row_group, int64_t first, int64_t num_rows) {
    const auto group = groups_.find(row_group);
    if (group == groups_.end() || num_rows <= 0) {
      return;
    }
    auto& runs = group->second;
    const int64_t last = first + num_rows;
    auto run = runs.upper_bound(first);
    if (run != runs.begin() && std::prev(run)->second > first) {
      --run;
    }
    while (run != runs.end() && run->first < last) {
      const auto [begin, end] = *run;
      run = runs.erase(run);
      num_rows_ -= end - begin;
      if (begin < first) {
        runs.emplace(begin, first);
        num_rows_ += first - begin;
      }
      if (end > last) {
        run = runs.emplace(last, end).first;
        num_rows_ += end - last;
        break;
      }
    }
    if (runs.empty()) {
      groups_.erase(group);
    }
  }

  /// Returns where the run that holds `row` ends, or `row` when it is not in the set.
  int64_t EndOfRun(int row_group, int64_t row) const {
    const auto group = groups_.find(row_group);
    if (group == groups_.end()) {
      return row;
    }
    const auto run = group->second.upper_bound(row);
    return run == group->second.begin() || std::prev(run)->second <= row ? row
                                                                         : std::prev(run)->second;
  }

  /// Returns the first row of the row group that comes after `row` and is in the set. When no such
  /// row exists, returns the largest int64_t.
  int64_t NextIn(int row_group, int64_t row) const {
    const auto group = groups_.find(row_group);
    if (group == groups_.end()) {
      return std::numeric_limits<int64_t>::max();
    }
    const auto run = group->second.upper_bound(row);
    return run == group->second.end() ? std::numeric_limits<int64_t>::max() : run->first;
  }

  /// Calls visit(row_group, first_row, num_rows) for each run.
  template <typename Visit>
  void VisitRuns(Visit visit) const {
    for (const auto& [group, runs] : groups_) {
      for (const auto& [begin, end] : runs) {
        visit(group, begin, end - begin);
      }
    }
  }

  int64_t num_rows() const { return num_rows_; }
  bool empty() const { return num_rows_ == 0; }

 private:
  std::map<int, std::map<int64_t, int64_t>> groups_;  ///< by row group: begin and end of each run
  int64_t num_rows_ = 0;
};

}  // namespace df::lake
