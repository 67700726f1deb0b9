#include "lake/catalog/time_levels.h"

#include <limits>
#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace df::lake {
namespace {

constexpr int64_t kHour = int64_t{3'600} * 1'000'000'000;
constexpr int64_t kDay = 24 * kHour;

std::string PathOf(int64_t nanos, TimeLevels levels) {
  return LevelPath(LevelOf(nanos, levels), levels);
}

TEST(TimeLevels, AreDaysAndHoursOfUtc) {
  constexpr int64_t kTime = 1'795'824'385'859'000'000;  // 2026-11-28T00:06:25.859Z
  EXPECT_EQ(PathOf(kTime, TimeLevels::kNone), "");
  EXPECT_EQ(PathOf(kTime, TimeLevels::kDay), "date=2026-11-28");
  EXPECT_EQ(PathOf(kTime, TimeLevels::kHour), "date=2026-11-28/hour=00");
  EXPECT_EQ(LevelPath(std::nullopt, TimeLevels::kNone), "");
  EXPECT_EQ(LevelPath(std::nullopt, TimeLevels::kDay), "date=mixed");
  EXPECT_EQ(LevelPath(std::nullopt, TimeLevels::kHour), "date=mixed/hour=mixed");
  EXPECT_EQ(PathOf(0, TimeLevels::kHour), "date=1970-01-01/hour=00");
  EXPECT_EQ(PathOf(kHour - 1, TimeLevels::kHour), "date=1970-01-01/hour=00");
  EXPECT_EQ(PathOf(kHour, TimeLevels::kHour), "date=1970-01-01/hour=01");
  EXPECT_EQ(PathOf(-1, TimeLevels::kHour), "date=1969-12-31/hour=23");
  EXPECT_EQ(PathOf(-kDay, TimeLevels::kDay), "date=1969-12-31");
  EXPECT_EQ(PathOf(std::numeric_limits<int64_t>::max(), TimeLevels::kHour),
            "date=2262-04-11/hour=23");
  EXPECT_EQ(PathOf(std::numeric_limits<int64_t>::min(), TimeLevels::kHour),
            "date=1677-09-21/hour=00");
}

TEST(TimeLevels, FoldersGiveTheirTimes) {
  const auto day = DayOfFolder("date=1970-01-02");
  ASSERT_TRUE(day.has_value());
  EXPECT_EQ(day->least, kDay);
  EXPECT_EQ(day->most, 2 * kDay - 1);
  const auto hour = HourOfFolder("hour=23", *day);
  ASSERT_TRUE(hour.has_value());
  EXPECT_EQ(hour->least, kDay + 23 * kHour);
  EXPECT_EQ(hour->most, 2 * kDay - 1);
}

TEST(TimeLevels, OtherNamesGiveNone) {
  for (const char* name : {"date=mixed", "date=2026-02-30", "date=2026-13-01", "date=2026-1-1",
                           "date=26-01-01", "date=2026-01-0x", "date=2026/01/01", "date=+026-01-01",
                           "day=2026-01-01", "date=", "2026-01-01", "date=9999-01-01",
                           "date=1600-01-01", "date=2262-04-11", "date=1677-09-21", "_part_id=a"}) {
    EXPECT_FALSE(DayOfFolder(name).has_value()) << name;
  }
  const EventTimeRange day{0, kDay - 1};
  for (const char* name : {"hour=24", "hour=1", "hour=001", "hour=-1", "hour=", "minute=01"}) {
    EXPECT_FALSE(HourOfFolder(name, day).has_value()) << name;
  }
}

TEST(TimeLevels, EveryTimeIsInTheTimesOfItsFolders) {
  for (int64_t hours = -100'000; hours < 1'000'000; hours += 977) {
    for (const int64_t nanos : {hours * kHour - 1, hours * kHour, hours * kHour + 1}) {
      const std::string path = PathOf(nanos, TimeLevels::kHour);
      const auto day = DayOfFolder(path.substr(0, path.find('/')));
      ASSERT_TRUE(day.has_value()) << path;
      const auto hour = HourOfFolder(path.substr(path.find('/') + 1), *day);
      ASSERT_TRUE(hour.has_value()) << path;
      EXPECT_TRUE(hour->least <= nanos && nanos <= hour->most) << path << " " << nanos;
    }
  }
}

}  // namespace
}  // namespace df::lake
