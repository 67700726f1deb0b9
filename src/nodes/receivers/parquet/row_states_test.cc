#include "nodes/receivers/parquet/row_states.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace df::nodes::receivers::parquet {
namespace {

/// The same by rows.
class PlainStates {
 public:
  explicit PlainStates(int64_t num_rows) : rows_(static_cast<size_t>(num_rows)) {}

  void Set(int64_t first, int64_t count, RowState state) {
    for (int64_t row = first; row < first + count; ++row) {
      RowState& now = rows_[static_cast<size_t>(row)];
      const bool was_sent =
          now == RowState::kInFlight || now == RowState::kRefused || now == RowState::kDeadLetter;
      const bool is_of_reader = state != RowState::kInFlight && state != RowState::kRefused &&
                                state != RowState::kDeadLetter && state != RowState::kDelivered;
      if (now != RowState::kDelivered && !(was_sent && is_of_reader)) {
        now = state;
      }
    }
  }

  const std::vector<RowState>& rows() const { return rows_; }

 private:
  std::vector<RowState> rows_;
};

TEST(RowStates, EqualTheStatesOfSingleRows) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const auto draw = [&](int64_t max) {
    return std::uniform_int_distribution<int64_t>(0, max)(random);
  };
  for (int run = 0; run < 500; ++run) {
    const int64_t num_rows = draw(60);
    RowStates states(num_rows);
    PlainStates plain(num_rows);
    for (int step = 0; step < 30; ++step) {
      const int64_t first = draw(num_rows);
      const int64_t count = draw(num_rows - first);
      const auto state = static_cast<RowState>(draw(kNumRowStates - 1));
      states.Set(first, count, state);
      plain.Set(first, count, state);
      std::vector<RowState> seen;
      std::array<int64_t, kNumRowStates> counts{};
      states.VisitRuns([&](int64_t run_first, int64_t run_count, RowState run_state) {
        ASSERT_EQ(run_first, static_cast<int64_t>(seen.size()));
        ASSERT_GT(run_count, 0);
        ASSERT_TRUE(seen.empty() || seen.back() != run_state) << "neighbours are one run";
        seen.insert(seen.end(), static_cast<size_t>(run_count), run_state);
        counts[static_cast<size_t>(run_state)] += run_count;
      });
      ASSERT_EQ(seen, plain.rows());
      for (size_t i = 0; i < kNumRowStates; ++i) {
        ASSERT_EQ(states.Count(static_cast<RowState>(i)), counts[i]);
      }
    }
  }
}

TEST(RowStates, RowsOutsideTheFileAreLeftOut) {
  RowStates states(10);
  states.Set(-5, 7, RowState::kRead);
  states.Set(8, 100, RowState::kDelivered);
  states.Set(20, 5, RowState::kRefused);
  EXPECT_EQ(states.Count(RowState::kRead), 2);
  EXPECT_EQ(states.Count(RowState::kDelivered), 2);
  EXPECT_EQ(states.Count(RowState::kUnread), 6);
}

}  // namespace
}  // namespace df::nodes::receivers::parquet
