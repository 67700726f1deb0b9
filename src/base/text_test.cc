#include "base/text.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df {
namespace {

using std::chrono::nanoseconds;

TEST(Duration, AcceptsWhatPeopleWrite) {
  const std::vector<std::pair<std::string, int64_t>> cases = {{"5s", 5'000'000'000},
                                                              {"250ms", 250'000'000},
                                                              {"10min", 600'000'000'000},
                                                              {"10m", 600'000'000'000},
                                                              {"0", 0},
                                                              {"0s", 0},
                                                              {"1us", 1'000},
                                                              {"7ns", 7},
                                                              {"2d", 172'800'000'000'000},
                                                              {"1h 30m", 5'400'000'000'000},
                                                              {"1h30m", 5'400'000'000'000},
                                                              {" 5 s ", 5'000'000'000}};
  for (const auto& [text, expected] : cases) {
    SCOPED_TRACE(text);
    const auto parsed = ParseDuration(text);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(parsed->count(), expected);
  }
}

TEST(Duration, RefusesTheRestAndSaysWhy) {
  for (const std::string text : {"", "5", "s", "-5s", "5 parsecs", "5s x", "1.5s", "99999999999d",
                                 "99999999999999999999s"}) {
    SCOPED_TRACE(text);
    const auto parsed = ParseDuration(text);
    ASSERT_FALSE(parsed.ok());
    EXPECT_THAT(parsed.status().message(), testing::HasSubstr("'" + text + "'"));
  }
}

TEST(Duration, FormatRoundTrips) {
  for (const int64_t count :
       {0L, 1L, 999L, 1'000L, 5'000'000'000L, 5'400'000'000'000L, 86'400'000'000'001L}) {
    EXPECT_EQ(ParseDuration(FormatDuration(nanoseconds(count)))->count(), count);
  }
}

TEST(Size, AcceptsBinaryAndDecimalUnits) {
  EXPECT_EQ(*ParseSize("4096"), 4096);
  EXPECT_EQ(*ParseSize("256MiB"), 268'435'456);
  EXPECT_EQ(*ParseSize("64 KiB"), 65'536);
  EXPECT_EQ(*ParseSize("1GB"), 1'000'000'000);
  EXPECT_EQ(*ParseSize("17B"), 17);
}

TEST(Size, RefusesTheRest) {
  for (const std::string text :
       {"", "x", "-1", "1.5MiB", "5 MiB s", "9999999999999TiB", "12 mib"}) {
    EXPECT_FALSE(ParseSize(text).ok()) << text;
  }
}

TEST(NearestName, OffersTheCloseOneOnly) {
  const std::vector<std::string> names = {"batch_size", "min_file_age", "base_uri"};
  EXPECT_EQ(NearestName("batchsize", names), "batch_size");
  EXPECT_EQ(NearestName("zzz", names), "");
}

TEST(Utf8, TellsValidFromInvalid) {
  EXPECT_TRUE(IsValidUtf8("plain ascii that is longer than eight bytes"));
  EXPECT_TRUE(IsValidUtf8("h\xC3\xA9llo \xF0\x9F\x98\x80"));
  EXPECT_FALSE(IsValidUtf8("\xC0\x80"));      // overlong
  EXPECT_FALSE(IsValidUtf8("\xED\xA0\x80"));  // surrogate
  EXPECT_FALSE(IsValidUtf8("abcdefgh\xFF"));
  EXPECT_FALSE(IsValidUtf8("\xE2\x82"));  // cut short
  EXPECT_EQ(PrintableText("a\xFF\n"), "a\\xff\\x0a");
}

}  // namespace
}  // namespace df
