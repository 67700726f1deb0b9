#include "app/commands/absent_flags.h"

#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/commands/verbs.h"

namespace df::app {
namespace {

// One that a command gets is taken from the list, and flags that are offered are there.
TEST(AbsentFlags, AreThoseThatTheirCommandDoesNotHave) {
  for (const AbsentFlag& absent : AllAbsentFlags()) {
    const auto verb = std::find_if(AllVerbs().begin(), AllVerbs().end(),
                                   [&](const Verb& one) { return one.name == absent.verb; });
    ASSERT_NE(verb, AllVerbs().end()) << absent.verb;
    const std::string help = HelpOf(*verb);
    const std::string flag(absent.flag);
    for (const std::string& written : {" " + flag + " ", "," + flag + " "}) {
      EXPECT_THAT(help, ::testing::Not(::testing::HasSubstr(written))) << absent.verb;
    }
  }
}

TEST(AbsentFlags, AreToldWithTheNearestWay) {
  EXPECT_THAT(std::string(WhyAbsent("replay", "--rate")), ::testing::HasSubstr("--rate-limit"));
  EXPECT_EQ(WhyAbsent("replay", "--rat"), "");
  EXPECT_EQ(WhyAbsent("logs", "--rate"), "");
}

}  // namespace
}  // namespace df::app
