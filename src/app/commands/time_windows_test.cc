#include "app/commands/time_windows.h"

#include <algorithm>
#include <limits>
#include <random>

#include <gtest/gtest.h>

namespace df::app {
namespace {

using lake::EventTimeRange;

RowGroupTimes Group(int64_t num_rows, std::optional<EventTimeRange> times) {
  return {otap::TableKind::kLogs, num_rows, times};
}

std::vector<select::TimeRange> AllWindows(TimeWindows windows, int64_t num_rows) {
  std::vector<select::TimeRange> all;
  while (const auto window = windows.Next(num_rows)) {
    all.push_back(*window);
    EXPECT_LT(all.size(), 100'000);
  }
  return all;
}

/// Windows meet, in their order, and are together the range.
void ExpectWhole(std::vector<select::TimeRange> windows, const select::TimeRange& range,
                 TimeOrder order) {
  ASSERT_FALSE(windows.empty());
  if (order == TimeOrder::kNewestFirst) {
    std::reverse(windows.begin(), windows.end());
  }
  EXPECT_EQ(windows.front().from, range.from);
  EXPECT_EQ(windows.back().to, range.to);
  for (size_t i = 1; i < windows.size(); ++i) {
    ASSERT_TRUE(windows[i].from.has_value());
    EXPECT_EQ(windows[i - 1].to, windows[i].from);
    if (windows[i].to.has_value()) {
      EXPECT_LT(*windows[i].from, *windows[i].to);
    }
  }
}

TEST(TimeWindowsTest, RandomWindowsMeetAndAreWhole) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    std::mt19937_64 random(seed);
    SCOPED_TRACE(seed);
    const int64_t span = random() % 4 == 0 ? 3 : int64_t{1} << (random() % 62);
    const auto time = [&] {
      return static_cast<int64_t>(random() % static_cast<uint64_t>(span)) - span / 2;
    };
    std::vector<RowGroupTimes> groups;
    for (size_t i = random() % 20; i > 0; --i) {
      const int64_t a = time();
      const int64_t b = time();
      groups.push_back(Group(static_cast<int64_t>(random() % 10'000),
                             random() % 10 == 0
                                 ? std::nullopt
                                 : std::optional(EventTimeRange{std::min(a, b), std::max(a, b)})));
    }
    select::TimeRange range;
    if (random() % 2 == 0) {
      range.from = time();
    }
    if (random() % 2 == 0) {
      range.to = std::max(time(), range.from.value_or(std::numeric_limits<int64_t>::min()) + 1);
    }
    for (const TimeOrder order : {TimeOrder::kOldestFirst, TimeOrder::kNewestFirst}) {
      ExpectWhole(
          AllWindows(TimeWindows(groups, range, order), 1 + static_cast<int64_t>(random() % 5'000)),
          range, order);
    }
  }
}

TEST(TimeWindowsTest, TheExtremesOfTimeDoNotOverflow) {
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  for (const TimeOrder order : {TimeOrder::kOldestFirst, TimeOrder::kNewestFirst}) {
    ExpectWhole(
        AllWindows(TimeWindows({Group(1'000, EventTimeRange{kLeast, kMost})}, {}, order), 10), {},
        order);
    ExpectWhole(
        AllWindows(TimeWindows({Group(1'000, EventTimeRange{kMost, kMost})}, {}, order), 10), {},
        order);
  }
}

TEST(TimeWindowsTest, AWindowHasAboutAsManyRowsAsAreAskedFor) {
  // 100 row groups one after the other, of 1,000 rows and 1,000 ns each.
  std::vector<RowGroupTimes> groups;
  for (int64_t i = 0; i < 100; ++i) {
    groups.push_back(Group(1'000, EventTimeRange{i * 1'000, i * 1'000 + 999}));
  }
  TimeWindows newest(groups, {}, TimeOrder::kNewestFirst);
  const auto last = newest.Next(80);
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->from, 99'920);
  EXPECT_EQ(last->to, std::nullopt);
  EXPECT_EQ(newest.Next(4'000)->from, 95'920);
  TimeWindows oldest(groups, {{5'000}, {}}, TimeOrder::kOldestFirst);
  EXPECT_EQ(oldest.Next(80)->to, 5'080);
  EXPECT_EQ(AllWindows(TimeWindows(groups, {}, TimeOrder::kOldestFirst), 10'000).size(), 10);
}

TEST(TimeWindowsTest, ALongGapBehindAnInstantHasNoRows) {
  const std::vector<RowGroupTimes> groups = {
      Group(1'000'000, EventTimeRange{0, 0}), Group(10, EventTimeRange{0, 1'000'000'000'000'000}),
      Group(100, EventTimeRange{2'000'000'000'000'000, 2'000'000'000'000'099})};
  EXPECT_EQ(TimeWindows(groups, {}, TimeOrder::kNewestFirst).Next(50)->from, 2'000'000'000'000'050);
  // Few of the million rows of one instant are no less than all of them.
  EXPECT_EQ(TimeWindows(groups, {}, TimeOrder::kOldestFirst).Next(10)->to, 1);
}

TEST(TimeWindowsTest, ManyWindowsOfManyRowGroupsCostLittle) {
  std::vector<RowGroupTimes> groups;
  for (int64_t i = 0; i < 50'000; ++i) {
    groups.push_back(Group(1'000, EventTimeRange{i * 1'000, i * 1'000 + 5'000}));
  }
  // 5,000 windows over 50,000 row groups: by looking at each of them every time it would take
  // minutes.
  EXPECT_NEAR(static_cast<double>(
                  AllWindows(TimeWindows(groups, {}, TimeOrder::kOldestFirst), 10'000).size()),
              5'000, 2);
}

TEST(TimeWindowsTest, RowGroupsWithoutTimesAreReadAFewTimesOnly) {
  std::vector<RowGroupTimes> groups = {Group(50'000, std::nullopt)};
  for (int64_t i = 0; i < 100; ++i) {
    groups.push_back(Group(1'000, EventTimeRange{i * 1'000, i * 1'000 + 999}));
  }
  EXPECT_LE(AllWindows(TimeWindows(groups, {}, TimeOrder::kOldestFirst), 10).size(), 3);
  EXPECT_EQ(
      AllWindows(TimeWindows({Group(5, std::nullopt)}, {}, TimeOrder::kOldestFirst), 1).size(), 1);
  EXPECT_EQ(AllWindows(TimeWindows({}, {}, TimeOrder::kNewestFirst), 1).size(), 1);
}

}  // namespace
}  // namespace df::app
