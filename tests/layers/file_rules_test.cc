#include "layers/file_rules.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::layers {
namespace {

using ::testing::HasSubstr;

std::string Lines(int count) {
  std::string text;
  for (int line = 0; line < count; ++line) {
    text += "x\n";
  }
  return text;
}

TEST(CheckNames, RefusesNamesThatSayNothing) {
  for (const char* path :
       {"src/base/utils.h", "src/base/string_util.cc", "src/common/a.h", "tests/e2e/helpers.cc",
        "src/lake/read_helper.h", "bench/CommonData.h"}) {
    const bool is_refused = !CheckNames({{path, ""}}).empty();
    EXPECT_EQ(is_refused, std::string(path) != "bench/CommonData.h") << path;
  }
}

TEST(CheckNames, AcceptsLongerWordsAndOtherFolders) {
  EXPECT_EQ(
      Render(CheckNames(
          {{"src/base/utility_bill.h", ""}, {"src/lake/uncommon.h", ""}, {"docs/common.md", ""}})),
      "");
}

TEST(CheckSizes, AllowsSixHundredLinesAndNotOneMore) {
  EXPECT_EQ(Render(CheckSizes({{"src/a.cc", Lines(600)}}, "")), "");
  EXPECT_EQ(CheckSizes({{"src/a.cc", Lines(601)}}, "").size(), 1U);
  EXPECT_EQ(Render(CheckSizes({{"docs/a.md", Lines(2000)}}, "")), "");
}

TEST(CheckSizes, LetsRatchetedFilesShrinkButNotGrow) {
  const std::string ratchet = "# comment\nsrc/a.cc 700\n";
  EXPECT_EQ(Render(CheckSizes({{"src/a.cc", Lines(700)}}, ratchet)), "");
  EXPECT_EQ(CheckSizes({{"src/a.cc", Lines(701)}}, ratchet).size(), 1U);
}

TEST(CheckSizes, ReportsRatchetEntriesThatAreNoLongerNeeded) {
  EXPECT_THAT(Render(CheckSizes({{"src/a.cc", Lines(600)}}, "src/a.cc 700\n")),
              HasSubstr("no longer needs"));
  EXPECT_THAT(Render(CheckSizes({}, "src/gone.cc 700\n")), HasSubstr("no longer needs"));
}

TEST(CheckMarkers, FindsMarkersAsWholeWordsOnly) {
  const std::string marker = std::string("TO") + "DO";
  const std::vector<Violation> violations =
      CheckMarkers({{"src/a.cc", "int a;\n// " + marker + ": later\n"}});
  ASSERT_EQ(violations.size(), 1U);
  EXPECT_EQ(violations[0].line, 2);
  EXPECT_EQ(Render(CheckMarkers({{"src/a.cc", "int k" + marker + "S;\n"}, {"docs/a.md", marker}})),
            "");
}

TEST(CheckPhrases, FindsThemInTextForUsers) {
  const std::vector<Violation> violations = CheckPhrases(
      {{"docs/a.md", "fine\nTelemetry that lies in files\n"},
       {"src/a.cc", "// everything else went well\nLogError(\"everything else went well\");\n"},
       {"tests/a.cc", "\"telemetry that lies\"\n"}});
  ASSERT_EQ(violations.size(), 2U);
  EXPECT_EQ(violations[0].line, 2);
  EXPECT_EQ(violations[1].path, "src/a.cc");
  EXPECT_EQ(violations[1].line, 2);
}

TEST(CheckReferenced, FindsSourcesThatNoBuildFileNames) {
  const SourceFile list{"src/base/CMakeLists.txt",
                        "otap_library(base SOURCES error.cc part/deep.cc)\n"};
  EXPECT_EQ(
      Render(CheckReferenced({list, {"src/base/error.cc", ""}, {"src/base/part/deep.cc", ""}})),
      "");
  EXPECT_THAT(Render(CheckReferenced({list, {"src/base/or.cc", ""}})), HasSubstr("src/base/or.cc"));
  EXPECT_THAT(Render(CheckReferenced({list, {"src/base/deep.cc", ""}})),
              HasSubstr("src/base/deep.cc"));
  EXPECT_THAT(Render(CheckReferenced({list, {"src/otap/error.cc", ""}})),
              HasSubstr("src/otap/error.cc"));
}

TEST(CheckReferenced, FollowsNamesMadeFromAVariable) {
  const SourceFile list{"tests/fuzz/CMakeLists.txt", "add_executable(a ${target}_fuzz.cc)\n"};
  EXPECT_EQ(Render(CheckReferenced({list, {"tests/fuzz/footer_fuzz.cc", ""}})), "");
  EXPECT_THAT(Render(CheckReferenced({list, {"tests/fuzz/footer.cc", ""}})),
              HasSubstr("no CMakeLists.txt"));
}

TEST(CheckReferenced, FindsHeadersThatNobodyIncludes) {
  const SourceFile user{"tests/e2e/a.h", "#include \"base/error.h\"\n#include \"e2e/a.h\"\n"};
  EXPECT_EQ(Render(CheckReferenced({user, {"src/base/error.h", ""}})), "");
  EXPECT_THAT(Render(CheckReferenced({user, {"src/otap/error.h", ""}})),
              HasSubstr("nobody includes it"));
}

TEST(CheckLinks, FindsLinksToNothing) {
  const auto exists = [](const std::string& path) {
    return path == "docs/a.md" || path == "README.md";
  };
  EXPECT_EQ(
      Render(CheckLinks(
          {{"docs/b.md", "[a](a.md) [r](../README.md#top) [s](#x) [w](https://example.com/y)\n"}},
          exists)),
      "");
  EXPECT_THAT(Render(CheckLinks({{"docs/b.md", "\n[a](c.md)\n"}}, exists)),
              HasSubstr("docs/b.md:2: link to docs/c.md"));
}

}  // namespace
}  // namespace df::layers
