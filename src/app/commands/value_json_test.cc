#include "app/commands/value_json.h"

#include <limits>
#include <memory>

#include <gtest/gtest.h>

namespace df::app {
namespace {

using select::Chars;
using select::Value;

std::string Json(const Value& value) {
  std::string out;
  AppendJson(value, &out);
  return out;
}

std::string Plain(const Value& value) {
  std::string out;
  AppendPlain(value, &out);
  return out;
}

Value MapOf(select::Map map) { return {std::make_shared<const select::Map>(std::move(map))}; }

TEST(ValueJsonTest, EveryKindHasAForm) {
  EXPECT_EQ(Json({}), "null");
  EXPECT_EQ(Json({true}), "true");
  EXPECT_EQ(Json({std::numeric_limits<int64_t>::min()}), "-9223372036854775808");
  EXPECT_EQ(Json({-0.0}), "-0.0");
  EXPECT_EQ(Json({std::numeric_limits<double>::quiet_NaN()}), "\"NaN\"");
  EXPECT_EQ(Json({-std::numeric_limits<double>::infinity()}), "\"-Infinity\"");
  EXPECT_EQ(Json(select::MakeText("a\"b\n\xFF")), "\"a\\\"b\\n\xEF\xBF\xBD\"");
  EXPECT_EQ(Json({select::Bytes{Chars::Borrow("\x01\x02")}}), "\"AQI=\"");
  EXPECT_EQ(Json({select::Id{Chars::Borrow("\x01\xAB")}}), "\"01ab\"");
  EXPECT_EQ(Json({select::Time{1'500'000'000}}), "\"1970-01-01T00:00:01.500Z\"");
  EXPECT_EQ(Json({select::Duration{7}}), "7");
  EXPECT_EQ(Json(select::Fail("why")), "null");
  EXPECT_EQ(
      Json(MapOf({{"k", {std::make_shared<const select::List>(select::List{{int64_t{1}}, {}})}},
                  {"k", {false}}})),
      "{\"k\":[1,null],\"k\":false}");
}

TEST(ValueJsonTest, TextForPeopleStaysOnItsLine) {
  EXPECT_EQ(Plain(select::MakeText("two\nlines\ttab")), "two\\nlines\\x09tab");
  EXPECT_EQ(Plain(select::MakeText("\x1b[31mred")), "\\x1b[31mred");
  EXPECT_EQ(Plain(select::MakeText("a\xC2\x9B"
                                   "31mred")),
            "a\\u009b31mred")
      << "the control character that begins a sequence in one byte";
  EXPECT_EQ(Plain(select::MakeText("a\xE2\x80\xAE"
                                   "b\xE2\x81\xA9\xE2\x80\xA8")),
            "a\\u202eb\\u2069\\u2028");
  EXPECT_EQ(Plain(select::MakeText("\xC2\xA0é日本\xFF")), "\xC2\xA0é日本\\xff");
  EXPECT_EQ(Plain({select::Bytes{Chars::Borrow("\x01")}}), "AQ==");
  EXPECT_EQ(Plain({}), "");
  EXPECT_EQ(Plain(select::Fail("why")), "<unreadable: why>");
}

TEST(ValueJsonTest, CountsHaveNoSign) {
  const auto counts = [](const Value& value) {
    std::string text;
    AppendCounts(value, &text);
    return text;
  };
  EXPECT_EQ(counts({int64_t{7}}), "7");
  EXPECT_EQ(counts({int64_t{-1}}), "18446744073709551615");
  const auto list = std::make_shared<const select::List>(
      select::List{{int64_t{0}}, {std::numeric_limits<int64_t>::min()}, {int64_t{-1}}});
  EXPECT_EQ(counts({list}), "[0,9223372036854775808,18446744073709551615]");
  EXPECT_EQ(counts({}), "null");
}

}  // namespace
}  // namespace df::app
