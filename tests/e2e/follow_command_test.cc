// Records of files that come to an archive, as they are printed.
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "engine_process.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::string kSample = OTAP_SOURCE_DIR "/examples/data/corner/parquet";

std::multiset<std::string> LinesOf(const std::string& text) {
  std::istringstream stream(text);
  std::multiset<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    lines.insert(line);
  }
  return lines;
}

class FollowCommandTest : public ::testing::Test {
 protected:
  FollowCommandTest() {
    fs::create_directory(following());
    AddSample();
  }

  fs::path lake() const { return folder_.path() / "lake"; }
  /// Where the output of who follows is, and of nobody else.
  fs::path following() const { return folder_.path() / "following"; }

  /// Has the exporter write the records of the sample into the archive once more. Its files name
  /// their sets, so that whoever follows need not wait for more of a set.
  void AddSample() const {
    const Ran written = RunIn(folder_.path(), {"convert", kSample, "--to", "star-parquet", "-o",
                                               lake().string(), "--no-cache", "-q"});
    EXPECT_EQ(written.exit_code, 0) << written.log;
  }

  TemporaryFolder folder_;
};

TEST_F(FollowCommandTest, EachRecordThatComesIsPrintedOnce) {
  const std::vector<std::string> logs = {"logs", lake().string(), "--json", "--no-cache", "-q"};
  std::vector<std::string> all = logs;
  all.insert(all.end(), {"-n", "all"});
  const std::string before = RunIn(folder_.path(), all).output;
  ASSERT_EQ(LinesOf(before).size(), 2000U);

  std::vector<std::string> follow = logs;
  follow.insert(follow.end(), {"-n", "3", "--follow"});
  EngineProcess process(following(), {.arguments = follow});
  const auto has_lines = [&](size_t number) {
    return process.WaitForOutput([number](const std::string& output) {
      return std::cmp_greater_equal(std::count(output.begin(), output.end(), '\n'), number);
    });
  };
  ASSERT_TRUE(has_lines(3)) << process.Log();
  AddSample();
  ASSERT_TRUE(has_lines(3 + 2000)) << process.Log();
  AddSample();
  ASSERT_TRUE(has_lines(3 + 2 * 2000)) << process.Log();
  process.Signal(SIGINT);
  EXPECT_EQ(process.Wait(), 128 + SIGINT);
  EXPECT_EQ(process.Log(), "");

  // The last three, and what has come, twice.
  const std::string output = process.Output();
  size_t end = 0;
  for (int i = 0; i < 3; ++i) {
    end = output.find('\n', end) + 1;
  }
  EXPECT_TRUE(before.ends_with(output.substr(0, end)));
  std::multiset<std::string> expected = LinesOf(before);
  expected.merge(LinesOf(before));
  EXPECT_EQ(LinesOf(output.substr(end)), expected);
}

TEST_F(FollowCommandTest, AConditionHoldsForWhatComes) {
  const std::vector<std::string> spans = {"spans",  lake().string(), "--service", "svc-3",
                                          "--json", "--no-cache",    "-q",        "-n"};
  std::vector<std::string> all = spans;
  all.emplace_back("all");
  const std::multiset<std::string> known = LinesOf(RunIn(folder_.path(), all).output);
  ASSERT_GT(known.size(), 1U);
  std::vector<std::string> follow = spans;
  follow.insert(follow.end(), {"1", "-f"});
  EngineProcess process(following(), {.arguments = follow});
  const auto has_lines = [&](size_t number) {
    return process.WaitForOutput(
        [number](const std::string& output) { return LinesOf(output).size() >= number; });
  };
  ASSERT_TRUE(has_lines(1)) << process.Log();
  AddSample();
  ASSERT_TRUE(has_lines(1 + known.size())) << process.Log();
  const std::string output = process.Output();
  EXPECT_EQ(LinesOf(output.substr(output.find('\n') + 1)), known);
}

TEST_F(FollowCommandTest, EndsWhenNobodyReadsAnyMore) {
  const std::string command = fmt::format("{} logs {} --follow -n 2 --no-cache 2>&1 | head -1",
                                          DF_ENGINE_PATH, lake().string());
  std::FILE* pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::array<char, 4096> line{};
  EXPECT_NE(std::fgets(line.data(), line.size(), pipe), nullptr);
  EXPECT_EQ(pclose(pipe), 0);  // the shell waits for both
}

TEST_F(FollowCommandTest, RefusesWhatHasNoNews) {
  std::string one;
  for (const auto& entry : fs::recursive_directory_iterator(lake() / "logs")) {
    one = entry.path().extension() == ".parquet" ? entry.path().string() : one;
  }
  const Ran of_file = RunIn(folder_.path(), {"logs", one, "--follow", "--no-cache"});
  EXPECT_EQ(of_file.exit_code, 2);
  EXPECT_THAT(of_file.log, HasSubstr("--follow: a single file does not change"));
  const Ran of_traces =
      RunIn(folder_.path(), {"spans", lake().string(), "--follow", "--no-cache", "--where",
                             "trace.any(status.code == STATUS_CODE_ERROR)"});
  EXPECT_EQ(of_traces.exit_code, 2);
  EXPECT_THAT(of_traces.log, HasSubstr("--follow: a condition on whole traces"));
  EXPECT_EQ(RunIn(folder_.path(), {"logs", lake().string(), "--follow", "--first"}).exit_code, 2);
}

TEST_F(FollowCommandTest, AFolderWithoutTelemetryIsWaitedAt) {
  fs::remove_all(lake());
  fs::create_directory(lake());
  EngineProcess engine(
      following(), {.arguments = {"logs", lake().string(), "--follow", "--json", "--no-cache"}});
  ASSERT_TRUE(engine.WaitForOutput([&](const std::string&) {
    return engine.Log().find("holds no telemetry yet") != std::string::npos;
  })) << engine.Log();
  AddSample();
  EXPECT_TRUE(engine.WaitForOutput([](const std::string& output) {
    return std::count(output.begin(), output.end(), '\n') == 2'000;
  })) << engine.Log();
  engine.Signal(SIGINT);
  EXPECT_EQ(engine.Wait(), 130);
  const Ran once = RunIn(folder_.path(), {"logs", following().string(), "--no-cache"});
  EXPECT_EQ(once.exit_code, 2) << once.log;
}

}  // namespace
}  // namespace df::e2e
