#include "admin/target.h"

#include <array>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/exchange.h"

namespace df::admin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(ParseTarget, SplitsBeforeItDecodes) {
  const Result<Target> target = ParseTarget("/a%2Fb/c%20d/?x=1%262&y=a+b&flag");
  ASSERT_TRUE(target.ok()) << target.status().message();
  EXPECT_THAT(target->path, ElementsAre("a/b", "c d", ""));
  EXPECT_THAT(target->query, ElementsAre(Pair("x", "1&2"), Pair("y", "a b"), Pair("flag", "")));
}

TEST(ParseTarget, SaysWhatIsWrong) {
  for (const auto& [text, words] : std::array<std::tuple<const char*, const char*>, 8>{{
           {"", "begin with '/'"},
           {"*", "begin with '/'"},
           {"status", "begin with '/'"},
           {"/%", "hexadecimal"},
           {"/%4", "hexadecimal"},
           {"/%zz", "hexadecimal"},
           {"/%ff", "UTF-8"},
           {"/a?x=1&x=2", "'x' twice"},
       }}) {
    const Result<Target> target = ParseTarget(text);
    ASSERT_FALSE(target.ok()) << text;
    EXPECT_THAT(target.status().message(), HasSubstr(words)) << text;
  }
  EXPECT_THAT(ParseTarget("/a%00b").status().message(), HasSubstr("control character"));
  EXPECT_THAT(ParseTarget("/?a=%0d%0a").status().message(), HasSubstr("control character"));
}

TEST(ChooseMediaType, TakesTheBestOfTheOffered) {
  const std::array offered = {kPrometheus, kOpenMetrics, kJson};
  for (const auto& [accept, expected] : std::array<std::tuple<const char*, std::string_view>, 11>{{
           {"", kPrometheus},
           {"*/*", kPrometheus},
           {"application/json", kJson},
           {"APPLICATION/JSON", kJson},
           {"application/*", kOpenMetrics},
           {"text/plain;q=0.4, application/json;q=0.5", kJson},
           {"application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            kOpenMetrics},
           {"text/plain;q=0, */*", kOpenMetrics},
           {"image/png", ""},
           {"text/html, image/*", ""},
           {"application/json;q=0", ""},
       }}) {
    EXPECT_EQ(ChooseMediaType(accept, offered), expected) << accept;
  }
}

TEST(MediaTypeOf, LeavesOutParametersAndCase) {
  EXPECT_EQ(MediaTypeOf("Application/JSON ; charset=utf-8"), "application/json");
  EXPECT_EQ(MediaTypeOf(""), "");
}

TEST(SplitProblems, FindsThePlaceAndThePath) {
  const auto problems = SplitProblems(
      "request:3:7: nodes.a.type: found 'x'\n"
      "a:1:c:12:1: two words: no path\n"
      "no place: at all\n");
  ASSERT_EQ(problems.size(), 3U);
  EXPECT_EQ(problems[0].line, 3);
  EXPECT_EQ(problems[0].column, 7);
  EXPECT_EQ(problems[0].path, "nodes.a.type");
  EXPECT_EQ(problems[0].message, "found 'x'");
  EXPECT_EQ(problems[1].line, 12);
  EXPECT_EQ(problems[1].path, "");
  EXPECT_EQ(problems[1].message, "two words: no path");
  EXPECT_FALSE(problems[2].line.has_value());
  EXPECT_EQ(problems[2].message, "no place: at all");
}

}  // namespace
}  // namespace df::admin
