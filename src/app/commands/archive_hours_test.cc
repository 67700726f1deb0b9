#include "app/commands/archive_hours.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::app {
namespace {

using otap::Signal;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kHour = int64_t{3600} * 1'000'000'000;

RowGroupTimes Group(int64_t num_rows, int64_t least, int64_t most) {
  return {otap::TableKind::kLogs, num_rows, lake::EventTimeRange{least, most}};
}

TEST(ArchiveHours, HolesLieBetweenWhatRowGroupsCover) {
  const auto holes =
      FindHoles({Group(1, 9 * kHour, 9 * kHour + 1), Group(1, kHour, 3 * kHour),
                 Group(1, 2 * kHour, 5 * kHour - 1), Group(0, 7 * kHour, 7 * kHour)});
  ASSERT_TRUE(holes.has_value());
  EXPECT_THAT(*holes, ElementsAre(HourRange{5, 8}));
}

TEST(ArchiveHours, HoursThatMeetLeaveNoHole) {
  EXPECT_THAT(*FindHoles({Group(1, kHour, 2 * kHour - 1), Group(1, 2 * kHour, 3 * kHour)}),
              IsEmpty());
  EXPECT_THAT(*FindHoles({}), IsEmpty());
}

TEST(ArchiveHours, WhereTimesAreNotKnownNoHoleIsSure) {
  EXPECT_FALSE(FindHoles({Group(1, kHour, kHour), {otap::TableKind::kLogs, 1, std::nullopt}}));
  EXPECT_FALSE(FindHoles({Group(2, 0, 9 * kHour), Group(1, kHour, kHour)})) << "one has no time";
}

TEST(ArchiveHours, ARowGroupOfOneHourIsCountedExactly) {
  ItemsByHour by_hour;
  AddHours(Signal::kLogs, {Group(5, kHour, 2 * kHour - 1), Group(7, kHour, kHour)}, &by_hour);
  AddHours(Signal::kTraces, {Group(2, 3 * kHour, 3 * kHour)}, &by_hour);
  ASSERT_EQ(by_hour.hours.size(), 2u);
  EXPECT_EQ(by_hour.hours[1][Signal::kLogs], 12);
  EXPECT_FALSE(by_hour.MayHaveMore(Signal::kLogs, 1));
  EXPECT_EQ(by_hour.hours[3][Signal::kTraces], 2);
  EXPECT_THAT(by_hour.unplaced, IsEmpty());
}

TEST(ArchiveHours, ARowGroupOfSeveralMakesItsHoursUncertain) {
  ItemsByHour by_hour;
  AddHours(
      Signal::kLogs,
      {Group(5, kHour, 4 * kHour), Group(7, 3 * kHour, 3 * kHour), Group(1, 9 * kHour, 9 * kHour)},
      &by_hour);
  EXPECT_EQ(by_hour.unplaced[Signal::kLogs], 5);
  EXPECT_EQ(by_hour.hours[3][Signal::kLogs], 7);
  for (const int64_t hour : {1, 3, 4}) {
    EXPECT_TRUE(by_hour.MayHaveMore(Signal::kLogs, hour)) << hour;
    EXPECT_FALSE(by_hour.MayHaveMore(Signal::kTraces, hour)) << hour;
  }
  EXPECT_FALSE(by_hour.MayHaveMore(Signal::kLogs, 9));
  EXPECT_FALSE(by_hour.hours.contains(2)) << "hours in between have no line of their own";
}

TEST(ArchiveHours, ItemsWithoutATimeMayBeOfAnyHour) {
  ItemsByHour by_hour;
  AddHours(Signal::kLogs, {Group(5, 0, kHour), {otap::TableKind::kLogs, 2, std::nullopt}},
           &by_hour);
  AddHours(Signal::kTraces, {Group(1, 3 * kHour, 3 * kHour)}, &by_hour);
  EXPECT_EQ(by_hour.unplaced[Signal::kLogs], 7);
  EXPECT_EQ(by_hour.hours.size(), 1u);
  EXPECT_TRUE(by_hour.MayHaveMore(Signal::kLogs, 3));
}

TEST(ArchiveHours, TheExtremesOfTimeDoNotOverflow) {
  ItemsByHour by_hour;
  AddHours(Signal::kLogs, {Group(1, 1, std::numeric_limits<int64_t>::max())}, &by_hour);
  EXPECT_EQ(by_hour.hours.size(), 2u);
  EXPECT_THAT(*FindHoles({Group(1, 1, std::numeric_limits<int64_t>::max())}), IsEmpty());
}

}  // namespace
}  // namespace df::app
