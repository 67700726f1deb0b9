// df_engine top, against an engine that runs, into a file and on a terminal.
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine_process.h"
#include "http_server.h"
#include "running_engine.h"

namespace df::e2e {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// df_engine with a terminal of 60 characters by 5 lines.
class OnTerminal {
 public:
  explicit OnTerminal(std::vector<std::string> arguments) {
    controller_ = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    grantpt(controller_);
    unlockpt(controller_);
    const winsize size{.ws_row = 5, .ws_col = 60, .ws_xpixel = 0, .ws_ypixel = 0};
    ioctl(controller_, TIOCSWINSZ, &size);
    arguments.insert(arguments.begin(), DF_ENGINE_PATH);
    std::vector<char*> argv;
    for (std::string& argument : arguments) {
      argv.push_back(argument.data());
    }
    argv.push_back(nullptr);
    std::string variable = "TERM=xterm";
    std::array<char*, 2> environment = {variable.data(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, ptsname(controller_), O_RDWR, 0);
    EXPECT_EQ(
        posix_spawn(&child_, DF_ENGINE_PATH, &actions, nullptr, argv.data(), environment.data()),
        0);
    posix_spawn_file_actions_destroy(&actions);
  }
  ~OnTerminal() {
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
    close(controller_);
  }

  /// Reads until a text has come; false when the program ends, or a minute passes, before.
  bool WaitFor(const std::string& text) {
    while (output_.find(text) == std::string::npos) {
      if (!ReadSome()) {
        return false;
      }
    }
    return true;
  }

  void Signal(int number) const { kill(child_, number); }

  /// Reads the rest. Returns the exit code, 128 and the signal where one ended it.
  int Wait() {
    while (ReadSome()) {
    }
    int status = 0;
    waitpid(child_, &status, 0);
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  const std::string& output() const { return output_; }

 private:
  bool ReadSome() {
    pollfd ready{.fd = controller_, .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, 60'000) <= 0) {
      return false;
    }
    std::array<char, 4096> piece;
    const ssize_t size = read(controller_, piece.data(), piece.size());
    if (size <= 0) {
      return false;
    }
    output_.append(piece.data(), static_cast<size_t>(size));
    return true;
  }

  int controller_ = -1;
  pid_t child_ = -1;
  std::string output_;
};

class TopCommandTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(engine_.is_ready()) << engine_.Log(); }

  Ran Top(std::vector<std::string> flags) const {
    flags.insert(flags.begin(), {"top", "--admin", engine_.address(), "--interval", "200ms"});
    return RunIn(folder_.path(), std::move(flags));
  }

  TemporaryFolder folder_;
  RunningEngine engine_{EngineDocument({{"default",
                                         {{"main", GeneratorPipeline("exporter:noop")},
                                          {"other", GeneratorPipeline("exporter:noop")}}}},
                                       "")};
};

TEST_F(TopCommandTest, OneTableHasPipelinesAndTheirNodes) {
  const Ran ran = Top({"--once"});
  EXPECT_EQ(ran.exit_code, 0) << ran.log;
  EXPECT_THAT(ran.output, HasSubstr("PIPELINE, NODE"));
  EXPECT_THAT(ran.output, HasSubstr("\ndefault/main "));
  EXPECT_THAT(ran.output, HasSubstr("\n  in (receiver:traffic_generator) "));
  EXPECT_THAT(ran.output, Not(HasSubstr("\x1b")));
}

TEST_F(TopCommandTest, JsonIsAnObjectForEachInterval) {
  const TemporaryFolder other;
  EngineProcess top(other.path(), {.arguments = {"top", "--admin", engine_.address(), "--interval",
                                                 "200ms", "--json"}});
  ASSERT_TRUE(top.WaitForOutput([](const std::string& output) {
    return std::count(output.begin(), output.end(), '\n') >= 2;
  })) << top.Log();
  top.Signal(SIGTERM);
  EXPECT_EQ(top.Wait(), 0) << top.Log();
  const std::string output = top.Output();
  const auto first = nlohmann::json::parse(output.substr(0, output.find('\n')));
  EXPECT_EQ(first["pipelines"][1]["pipeline"], "other");
  EXPECT_GT(first["seconds"], 0.1);
}

TEST_F(TopCommandTest, ATerminalIsDrawnOnAndGivenBack) {
  OnTerminal top({"top", "--admin", engine_.address(), "--interval", "200ms"});
  ASSERT_TRUE(top.WaitFor("Ctrl-C ends")) << top.output();
  ASSERT_TRUE(top.WaitFor("more lines")) << top.output();
  top.Signal(SIGINT);
  EXPECT_EQ(top.Wait(), 0);
  EXPECT_THAT(top.output(), StartsWith("\x1b[?1049h"));
  EXPECT_THAT(top.output(), EndsWith("\x1b[?25h\x1b[?1049l"));
  EXPECT_THAT(top.output(), Not(HasSubstr("FAILING")));  // beyond the 60 characters of a line
}

TEST_F(TopCommandTest, TheTerminalIsGivenBackWhenTheEngineEnds) {
  OnTerminal top({"top", "--admin", engine_.address(), "--interval", "100ms"});
  ASSERT_TRUE(top.WaitFor("Ctrl-C ends")) << top.output();
  engine_.Signal(SIGTERM);
  EXPECT_EQ(top.Wait(), 1);
  EXPECT_THAT(top.output(), EndsWith("\x1b[?25h\x1b[?1049l"));
}

TEST(TopCommandLineTest, WhatIsWrongIsNamed) {
  const TemporaryFolder folder;
  const auto run = [&folder](std::vector<std::string> flags) {
    flags.insert(flags.begin(), "top");
    return RunIn(folder.path(), std::move(flags));
  };
  const Ran dead = run({"--admin", "127.0.0.1:" + std::to_string(DeadPort())});
  EXPECT_EQ(dead.exit_code, 1);
  EXPECT_THAT(dead.log, HasSubstr("df_engine top: cannot connect to "));
  EXPECT_EQ(run({"--interval", "1ms"}).exit_code, 2);
  EXPECT_THAT(run({"--interval", "soon"}).log, HasSubstr("--interval: "));
}

}  // namespace
}  // namespace df::e2e
