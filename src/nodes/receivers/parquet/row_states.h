// What became of each row of one file, as runs of rows in one state.
#pragma once

#include <array>
#include <cstdint>
#include <iterator>
#include <map>

namespace df::nodes::receivers::parquet {

enum class RowState : uint8_t {
  kUnread,       ///< not given out by a reader
  kRead,         ///< given out, and not sent
  kInFlight,     ///< sent, and no outcome has come; its node may have ended
  kRefused,      ///< sent, and refused
  kDeadLetter,   ///< sent, refused, and durable among the dead letters
  kDelivered,    ///< sent, and acknowledged
  kSelectedOut,  ///< left out by the selection
  kQuarantined,  ///< failed permanently in an earlier process, and not tried again
  kDropped,      ///< given up by an operator, who has dropped them from the quarantine
};
inline constexpr size_t kNumRowStates = 9;

/// Cost: memory and time by the number of runs. Not safe for several threads.
class RowStates {
 public:
  explicit RowStates(int64_t num_rows);

  /// Puts rows into a state. Rows that were delivered stay delivered, and rows that were sent are
  /// not read, unread or left out again: both have happened. Rows outside the file are left out.
  void Set(int64_t first, int64_t count, RowState state);

  int64_t num_rows() const { return num_rows_; }
  /// Returns the state of a row of the file.
  RowState StateAt(int64_t row) const { return std::prev(runs_.upper_bound(row))->second; }
  int64_t Count(RowState state) const { return counts_[static_cast<size_t>(state)]; }

  /// Calls visit(first, count, state) for every run in the order of the rows.
  template <typename Visit>
  void VisitRuns(Visit visit) const {
    for (auto run = runs_.begin(); run != runs_.end(); ++run) {
      const auto next = std::next(run);
      const int64_t end = next == runs_.end() ? num_rows_ : next->first;
      visit(run->first, end - run->first, run->second);
    }
  }

 private:
  void SplitAt(int64_t row);

  int64_t num_rows_;
  std::map<int64_t, RowState> runs_;  ///< by first row; neighbours differ
  std::array<int64_t, kNumRowStates> counts_{};
};

}  // namespace df::nodes::receivers::parquet
