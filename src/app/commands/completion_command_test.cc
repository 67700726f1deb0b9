#include "app/commands/completion_command.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "app/commands/verbs.h"

namespace df::app {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TEST(CompletionTest, NamesEveryCommand) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const auto script = CompletionScript(shell);
    ASSERT_TRUE(script.ok());
    for (const Verb& verb : AllVerbs()) {
      EXPECT_THAT(*script, HasSubstr(std::string(verb.name))) << shell;
    }
  }
  EXPECT_FALSE(CompletionScript("tcsh").ok());
}

TEST(CompletionTest, BashCompletesCommandsFlagsAndPaths) {
  std::string pattern = (fs::temp_directory_path() / "completion-XXXXXX").string();
  const fs::path folder = mkdtemp(pattern.data());
  std::ofstream(folder / "script") << *CompletionScript("bash");
  // The program stands in by its help.
  std::ofstream(folder / "df_engine") << "#!/bin/sh\n"
                                         "[ \"$1 $2\" = 'logs --help' ] && echo '  -n N  x\n"
                                         "  -v,--verbose  y\n  --until TIME  z'\n";
  fs::permissions(folder / "df_engine", fs::perms::owner_all);
  std::ofstream(folder / "some-file") << "x";
  const auto complete = [&](const std::string& words, int current) {
    const std::string line = "cd '" + folder.string() +
                             "' && PATH=\"$PWD:$PATH\" bash -c 'source ./script; COMP_WORDS=(" +
                             words + "); COMP_CWORD=" + std::to_string(current) +
                             "; _df_engine; echo \"${COMPREPLY[@]}\"' >answer 2>/dev/null";
    EXPECT_EQ(std::system(line.c_str()), 0);
    std::ifstream file(folder / "answer");
    std::string answer;
    std::getline(file, answer);
    return answer;
  };
  EXPECT_EQ(complete("df_engine ins", 1), "inspect");
  EXPECT_EQ(complete("df_engine sp", 1), "spans");
  EXPECT_EQ(complete("df_engine logs --", 2), "--until --verbose");
  EXPECT_EQ(complete("df_engine logs some-f", 2), "some-file");
  fs::remove_all(folder);
}

}  // namespace
}  // namespace df::app
