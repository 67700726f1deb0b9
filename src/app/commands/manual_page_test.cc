#include "app/commands/manual_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/answer_capture.h"
#include "app/commands/verbs.h"
#include "app/standard_output.h"

namespace df::app {
namespace {

const ManualPage kPage = {.name = "df_engine-try",
                          .summary = "try - and see",
                          .description = ".hidden\n'quoted'\n  --flag  a \\ b\n\n",
                          .version = "1.2.3"};

TEST(ManualPage, IsText) {
  EXPECT_EQ(ToText(kPage),
            "NAME\n    df_engine-try - try - and see\n\nDESCRIPTION\n    .hidden\n    'quoted'\n"
            "      --flag  a \\ b\n\nSEE ALSO\n"
            "    df_engine(1), /usr/share/doc/df_engine/docs/commands.md\n\ndf_engine 1.2.3\n");
}

TEST(ManualPage, NoLineIsACommandOfRoff) {
  EXPECT_EQ(ToRoff(kPage),
            ".TH DF_ENGINE-TRY 1 \"\" \"df_engine 1.2.3\" \"df_engine\"\n.SH NAME\n"
            "df_engine-try \\- try \\- and see\n.SH DESCRIPTION\n.nf\n\\&.hidden\n\\&'quoted'\n"
            "  \\-\\-flag  a \\e b\n\n.fi\n.SH SEE ALSO\n.BR df_engine (1),\n"
            "/usr/share/doc/df_engine/docs/commands.md\n");
}

TEST(ManualPage, EveryCommandHasOne) {
  for (const Verb& verb : AllVerbs()) {
    const std::string help = HelpOf(verb);
    EXPECT_THAT(help, ::testing::HasSubstr("df_engine")) << verb.name;
    EXPECT_TRUE(help.ends_with('\n')) << verb.name;
  }
}

TEST(AnswerCapture, TakesAnswersUntilItsEnd) {
  {
    const AnswerCapture capture;
    EXPECT_EQ(PrintAnswer("one\n"), 0);
    EXPECT_EQ(PrintAnswer("two\n"), 0);
    EXPECT_EQ(capture.text(), "one\ntwo\n");
  }
  EXPECT_FALSE(AnswerCapture::Take("three\n"));
}

}  // namespace
}  // namespace df::app
