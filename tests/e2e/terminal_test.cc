// What somebody at a terminal sees: progress, its width, Ctrl-C and going on, colours.
#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine_process.h"
#include "http_server.h"
#include "terminal_process.h"

namespace df::e2e {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

const std::string kLake = OTAP_SOURCE_DIR "/examples/data/corner/parquet";
const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
constexpr std::string_view kClearRow = "\r\x1b[K";

/// A server that answers so many requests, and the others once it is told to.
class SlowServer {
 public:
  explicit SlowServer(int num_answered)
      : num_answered_(num_answered), server_([this](std::string_view, std::string_view) {
          std::unique_lock lock(mutex_);
          if (num_answered_-- <= 0) {
            opened_.wait(lock, [this] { return is_open_; });
          }
          return kOk;
        }) {}
  ~SlowServer() { Open(); }

  void Open() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    opened_.notify_all();
  }
  std::string uri() const { return fmt::format("http://127.0.0.1:{}", server_.port()); }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  int num_answered_;
  bool is_open_ = false;
  HttpServer server_;
};

/// The texts of a line that was drawn again and again.
std::vector<std::string> DrawnIn(const std::string& output) {
  std::vector<std::string> lines;
  size_t at = output.find(kClearRow);
  while (at != std::string::npos) {
    const size_t begin = at + kClearRow.size();
    at = output.find(kClearRow, begin);
    const std::string line = output.substr(begin, at == std::string::npos ? at : at - begin);
    if (line.find('\n') == std::string::npos && !line.empty()) {
      lines.push_back(line);
    }
  }
  return lines;
}

int64_t DeliveredIn(const std::filesystem::path& receipt) {
  std::ifstream file(receipt);
  const Json json = Json::parse(file);
  int64_t sum = 0;
  for (const auto& [key, pipeline] : json.at("pipelines").items()) {
    for (const Json& node : pipeline.at("nodes")) {
      if (!node.at("source").is_null()) {
        for (const auto& [name, signal] : node["source"]["signals"].items()) {
          sum += signal.at("records").at("delivered").get<int64_t>();
        }
      }
    }
  }
  return sum;
}

class TerminalTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
};

TEST_F(TerminalTest, ProgressIsDrawnUntilCtrlCAndTheReceiptGoesOn) {
  SlowServer server(3);
  const std::vector<std::string> replay = {"replay",     kLake,       "--to", server.uri(),
                                           "--no-cache", "--threads", "1",    "--receipt"};
  std::vector<std::string> first = replay;
  first.emplace_back("first.json");
  TerminalProcess process(folder_.path(), {.arguments = first});
  const std::regex some_delivered(R"(\d+ %  (\[[#.]+\]  )?[1-9][\d,]* records delivered)");
  ASSERT_TRUE(process.ReadUntil([&](const std::string& output) {
    return std::regex_search(output, some_delivered);
  })) << process.output();
  process.Type("\x03");
  server.Open();
  EXPECT_EQ(process.Wait(), 130) << process.output();
  // The line is gone before the last words are printed.
  EXPECT_THAT(process.output(), HasSubstr("\r\x1b[Kdelivered "));
  EXPECT_THAT(process.output(), EndsWith("df_engine replay: stopped by SIGINT\r\n"));

  std::vector<std::string> second = replay;
  second.insert(second.end(), {"second.json", "--resume", "first.json"});
  TerminalProcess rest(folder_.path(), {.arguments = second});
  EXPECT_EQ(rest.Wait(), 0) << rest.output();
  const int64_t num_first = DeliveredIn(folder_.path() / "first.json");
  EXPECT_GT(num_first, 0);
  TerminalProcess all(folder_.path(), {.arguments = {"replay", kLake, "--to", "null", "--no-cache",
                                                     "--receipt", "all.json"}});
  EXPECT_EQ(all.Wait(), 0) << all.output();
  EXPECT_EQ(num_first + DeliveredIn(folder_.path() / "second.json"),
            DeliveredIn(folder_.path() / "all.json"));
}

TEST_F(TerminalTest, TheLineFitsIntoTheWidthAsItIs) {
  SlowServer server(1);
  TerminalProcess process(folder_.path(), {.arguments = {"replay", kLake, "--to", server.uri(),
                                                         "--no-cache", "--threads", "1"},
                                           .columns = 30});
  ASSERT_TRUE(process.ReadUntil([](const std::string& output) { return !DrawnIn(output).empty(); }))
      << process.output();
  for (const std::string& line : DrawnIn(process.output())) {
    EXPECT_LT(line.size(), 30U) << line;
  }
  const size_t num_narrow = DrawnIn(process.output()).size();
  process.Resize(120);
  ASSERT_TRUE(process.ReadUntil([&](const std::string& output) {
    const std::vector<std::string> lines = DrawnIn(output);
    return lines.size() > num_narrow && lines.back().size() > 60;
  })) << process.output();
  for (const std::string& line : DrawnIn(process.output())) {
    EXPECT_LT(line.size(), 120U) << line;
  }
  server.Open();
  EXPECT_EQ(process.Wait(), 0) << process.output();
}

TEST_F(TerminalTest, NothingIsDrawnWhereNobodyWantsIt) {
  for (const bool is_dumb : {false, true}) {
    SlowServer server(1);
    std::vector<std::string> arguments = {"replay",     kLake,       "--to", server.uri(),
                                          "--no-cache", "--threads", "1"};
    if (!is_dumb) {
      arguments.emplace_back("-q");
    }
    TerminalProcess process(
        folder_.path(),
        {.arguments = arguments, .environment = {{"TERM", is_dumb ? "dumb" : "xterm-256color"}}});
    // Four times as long as a terminal that wants the line waits for it.
    EXPECT_FALSE(process.ReadUntil(
        [](const std::string& output) { return output.find(kClearRow) != std::string::npos; },
        std::chrono::seconds(1)));
    server.Open();
    EXPECT_EQ(process.Wait(), 0);
    EXPECT_THAT(process.output(), Not(HasSubstr(kClearRow)));
  }
}

TEST_F(TerminalTest, ColoursAreForTerminalsThatWantThem) {
  const std::vector<std::string> logs = {"logs", kLake, "-n", "50", "--no-cache"};
  TerminalProcess coloured(folder_.path(), {.arguments = logs});
  EXPECT_EQ(coloured.Wait(), 0);
  EXPECT_THAT(coloured.output(), HasSubstr("\x1b["));
  TerminalProcess plain(
      folder_.path(),
      {.arguments = logs, .environment = {{"TERM", "xterm-256color"}, {"NO_COLOR", "1"}}});
  EXPECT_EQ(plain.Wait(), 0);
  EXPECT_THAT(plain.output(), Not(HasSubstr("\x1b[")));
  const Ran piped = RunIn(folder_.path(), logs);
  EXPECT_THAT(piped.output, Not(HasSubstr("\x1b[")));
  // The records are the same, whoever reads them.
  std::string bare = std::regex_replace(coloured.output(), std::regex("\x1b\\[[0-9;]*m"), "");
  std::erase(bare, '\r');
  EXPECT_THAT(bare, HasSubstr(piped.output));
}

}  // namespace
}  // namespace df::e2e
