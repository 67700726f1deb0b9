#include "app/commands/moment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::app {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kSecond = 1'000'000'000;
/// 2026-11-27 00:30:00 UTC: shortly after midnight, where "today" and "14:00" are easily wrong.
constexpr int64_t kNow = 1'795'739'400 * kSecond;

std::string Shown(std::string_view text, std::optional<int64_t> after = std::nullopt) {
  const auto moment = ParseMoment(text, kNow, after);
  return moment.ok() ? ShowMoment(*moment) : "error: " + moment.status().message();
}

TEST(MomentTest, ReadsWhatPeopleWrite) {
  EXPECT_EQ(Shown("now"), "2026-11-27 00:30:00.000Z");
  EXPECT_EQ(Shown("-15m"), "2026-11-27 00:15:00.000Z");
  EXPECT_EQ(Shown("-2d"), "2026-11-25 00:30:00.000Z");
  EXPECT_EQ(Shown("2026-11-26T14:00:00Z"), "2026-11-26 14:00:00.000Z");
  EXPECT_EQ(Shown("2026-11-26T14:00:00+02:00"), "2026-11-26 12:00:00.000Z");
  EXPECT_EQ(Shown("2026-11-26 14:00"), "2026-11-26 14:00:00.000Z");
  EXPECT_EQ(Shown("2026-11-26T14:00:30.25"), "2026-11-26 14:00:30.250Z");
  EXPECT_EQ(Shown("2026-11-26"), "2026-11-26 00:00:00.000Z");
  EXPECT_EQ(Shown("yesterday"), "2026-11-26 00:00:00.000Z");
  EXPECT_EQ(Shown("yesterday 14:00"), "2026-11-26 14:00:00.000Z");
  EXPECT_EQ(Shown("today 00:10:30"), "2026-11-27 00:10:30.000Z");
  EXPECT_EQ(Shown("1738324800s"), "2025-01-31 12:00:00.000Z");
  EXPECT_EQ(Shown("1738324800000000001ns"), "2025-01-31 12:00:00.000000001Z");
}

TEST(MomentTest, ATimeOfDayIsTheLastOneOrTheNextOneAfterAnother) {
  EXPECT_EQ(Shown("00:30"), "2026-11-27 00:30:00.000Z") << "now is not in the future";
  EXPECT_EQ(Shown("00:31"), "2026-11-26 00:31:00.000Z");
  EXPECT_EQ(Shown("14:00"), "2026-11-26 14:00:00.000Z");
  const int64_t from = *ParseMoment("2026-11-20 14:00", kNow);
  EXPECT_EQ(Shown("14:15", from), "2026-11-20 14:15:00.000Z");
  EXPECT_EQ(Shown("13:00", from), "2026-11-21 13:00:00.000Z");
  EXPECT_EQ(Shown("14:00", from), "2026-11-20 14:00:00.000Z");
}

TEST(MomentTest, RefusesWhatIsNoTime) {
  for (const std::string_view text :
       {"", "14", "25:00", "14:60", "yesterday14:00", "yesterday 14", "tomorrow", "2026", "2026-11",
        "2026-13-01", "x", "14:00 yesterday", "-15", "15m", "14:00:", "today ", "1e9"}) {
    EXPECT_THAT(Shown(text), HasSubstr("error: found '")) << text;
  }
}

TEST(MomentTest, ShowsAsManyDigitsAsATimeHas) {
  EXPECT_EQ(ShowMoment(0), "1970-01-01 00:00:00.000Z");
  EXPECT_EQ(ShowMoment(1'500'000), "1970-01-01 00:00:00.001500Z");
  EXPECT_EQ(ShowMoment(1), "1970-01-01 00:00:00.000000001Z");
  EXPECT_EQ(ShowMoment(-1), "1969-12-31 23:59:59.999999999Z");
  EXPECT_EQ(ShowMoment(INT64_MIN), "1677-09-21 00:12:43.145224192Z");
  EXPECT_EQ(ShowMoment(INT64_MAX), "2262-04-11 23:47:16.854775807Z");
}

}  // namespace
}  // namespace df::app
