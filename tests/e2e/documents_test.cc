// Runs the commands that documents show, and compares what they print.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "console_blocks.h"
#include "engine_process.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;

std::string ReadText(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// A shell in the folder of the source, with the program in its path and a home of its own.
class Shell {
 public:
  Shell() {
    fs::create_directories(folder_.path() / "bin");
    fs::create_symlink(DF_ENGINE_PATH, folder_.path() / "bin/df_engine");
  }

  /// Returns what a command writes to stdout.
  std::string Run(const std::string& command) const {
    const std::string home = folder_.path().string();
    const std::string line = "cd '" OTAP_SOURCE_DIR "' && export HOME='" + home +
                             "' XDG_CACHE_HOME= NO_COLOR=1 COLUMNS=80 PATH='" + home +
                             "/bin':\"$PATH\" && { " + command + "\n} 2>'" + home + "/stderr'";
    FILE* pipe = popen(line.c_str(), "r");
    EXPECT_NE(pipe, nullptr);
    std::string output;
    std::array<char, 4096> piece;
    while (const size_t size = fread(piece.data(), 1, piece.size(), pipe)) {
      output.append(piece.data(), size);
    }
    const int status = pclose(pipe);
    EXPECT_TRUE(WIFEXITED(status)) << command;
    EXPECT_EQ(WEXITSTATUS(status), 0) << command << "\n" << ReadText(folder_.path() / "stderr");
    return output;
  }

 private:
  TemporaryFolder folder_;
};

class DocumentsTest : public ::testing::TestWithParam<const char*> {};

TEST_P(DocumentsTest, ShowWhatTheirCommandsPrint) {
  const fs::path path = fs::path(OTAP_SOURCE_DIR) / GetParam();
  const std::string document = ReadText(path);
  const std::vector<ConsoleCommand> commands = ReadConsoleBlocks(document);
  ASSERT_FALSE(commands.empty()) << path;
  const Shell shell;
  std::vector<std::string> outputs;
  for (const ConsoleCommand& command : commands) {
    outputs.push_back(shell.Run(command.command));
  }
  // Written anew where somebody who has looked at the difference asks for it.
  if (std::getenv("OTAP_WRITE_DOCUMENTS") != nullptr) {
    std::ofstream(path) << WithOutputs(document, outputs);
    return;
  }
  for (size_t i = 0; i < commands.size(); ++i) {
    EXPECT_EQ(outputs[i], commands[i].output)
        << path << ":" << commands[i].line << ": " << commands[i].command;
  }
}

INSTANTIATE_TEST_SUITE_P(All, DocumentsTest,
                         ::testing::Values("README.md", "docs/commands.md", "docs/tutorial.md",
                                           "tests/e2e/golden_answers.md"));

TEST(ConsoleBlocksTest, AreReadAndWritten) {
  const std::string document =
      "Text\n$ no command\n```console\n$ one\na\nb\n$ two\n```\n```\n$ no block of commands\n```\n";
  const std::vector<ConsoleCommand> commands = ReadConsoleBlocks(document);
  ASSERT_EQ(commands.size(), 2);
  EXPECT_EQ(commands[0].line, 4);
  EXPECT_EQ(commands[0].command, "one");
  EXPECT_EQ(commands[0].output, "a\nb\n");
  EXPECT_EQ(commands[1].output, "");
  EXPECT_EQ(WithOutputs(document, {"a\nb\n", ""}), document);
  EXPECT_EQ(WithOutputs(document, {"c\n", "d\n"}),
            "Text\n$ no command\n```console\n$ one\nc\n$ two\nd\n```\n```\n$ no block of "
            "commands\n```\n");
}

}  // namespace
}  // namespace df::e2e
