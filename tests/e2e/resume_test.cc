// Replays that are stopped and refused at random go on from their receipts, until everything has
// arrived, once.
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine_process.h"
#include "http_server.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using ::testing::HasSubstr;

const std::string kLake = OTAP_SOURCE_DIR "/examples/data/corner/parquet";
const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
// partial_success {rejected: 1}
const std::string kPartial(
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
    "Content-Length: 4\r\n\r\n\x0A\x02\x08\x01");
const std::string kBad = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

/// Rounds: enough for a test that runs each day, more where somebody asks.
int NumRounds() {
  const char* asked = std::getenv("OTAP_RESUMES");
  return asked == nullptr ? 4 : std::atoi(asked);
}

/// A server that keeps what it accepts, refuses some requests, and has the sender stopped.
class Destination {
 public:
  explicit Destination(fs::path folder)
      : folder_(std::move(folder)), server_([this](std::string_view head, std::string_view body) {
          return Answer(head, body);
        }) {
    fs::create_directories(folder_);
  }

  /// For the next run: refuses so many of 100 requests, and stops it after some; 0: never.
  void Plan(int percent_refused, int stop_after, uint64_t seed, bool is_partial = false) {
    const std::lock_guard lock(mutex_);
    percent_refused_ = percent_refused;
    stop_after_ = stop_after;
    is_partial_ = is_partial;
    random_.seed(seed);
  }
  void SetSender(EngineProcess* sender) { sender_ = sender; }
  uint16_t port() const { return server_.port(); }
  const fs::path& folder() const { return folder_; }

 private:
  std::string Answer(std::string_view head, std::string_view body) {
    const std::lock_guard lock(mutex_);
    if (stop_after_ > 0 && --stop_after_ == 0) {
      while (sender_ == nullptr) {
      }
      sender_.load()->Signal(SIGINT);
    }
    if (std::cmp_less(random_() % 100, percent_refused_)) {
      return is_partial_ ? kPartial : kBad;
    }
    const std::string_view path = head.substr(0, head.find(" HTTP"));
    const std::string_view signal = path.substr(path.rfind('/') + 1);
    std::ofstream file(folder_ / fmt::format("{}.binpb", signal), std::ios::binary | std::ios::app);
    for (const int shift : {24, 16, 8, 0}) {
      file.put(static_cast<char>(body.size() >> shift & 0xff));
    }
    file << body;
    return kOk;
  }

  fs::path folder_;
  std::mutex mutex_;
  int percent_refused_ = 0;
  int stop_after_ = 0;
  bool is_partial_ = false;
  std::mt19937_64 random_;
  std::atomic<EngineProcess*> sender_ = nullptr;
  HttpServer server_;
};

class ResumeTest : public ::testing::Test {
 protected:
  Ran Run(std::vector<std::string> arguments, Destination* destination = nullptr) {
    EngineProcess process(folder_.path(), {.arguments = std::move(arguments)});
    if (destination != nullptr) {
      destination->SetSender(&process);
    }
    const int code = process.Wait();
    if (destination != nullptr) {
      destination->SetSender(nullptr);
    }
    return {code, process.Output(), process.Log()};
  }

  std::string Receipt(int number) const {
    return (folder_.path() / fmt::format("receipt-{}.json", number)).string();
  }

  /// Replays, from the receipt before where there is one.
  Ran Replay(Destination* destination, int number, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {
        "replay",        kLake,
        "--to",          fmt::format("http://127.0.0.1:{}", destination->port()),
        "--compression", "none",
        "--no-cache",    "--receipt",
        Receipt(number)};
    if (number > 0) {
      arguments.insert(arguments.end(), {"--resume", Receipt(number - 1)});
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(std::move(arguments), destination);
  }

  Json ReadReceipt(int number) const {
    std::ifstream file(Receipt(number));
    return Json::parse(file);
  }

  TemporaryFolder folder_;
};

TEST_F(ResumeTest, TheRunsTogetherDeliverEverythingOnce) {
  const int num_rounds = NumRounds();
  int num_stopped = 0;
  int num_runs = 0;
  for (int round = 0; round < num_rounds; ++round) {
    SCOPED_TRACE(fmt::format("round {}", round));
    std::mt19937_64 random(static_cast<uint64_t>(20'261'130 + round));
    Destination destination(folder_.path() / fmt::format("received-{}", round));
    int code = -1;
    for (int number = 0; code != 0; ++number) {
      ASSERT_LT(number, 30);
      // Later runs are left alone, so that there is an end.
      const bool is_late = number >= 6;
      const int percent_refused = is_late ? 0 : static_cast<int>(random() % 40);
      const int stop_after = is_late || random() % 4 == 0 ? 0 : 1 + static_cast<int>(random() % 25);
      destination.Plan(percent_refused, stop_after, random());
      // What is printed changes nothing of how it ends.
      const Ran ran =
          Replay(&destination, number,
                 number % 2 == 0 ? std::vector<std::string>() : std::vector<std::string>{"-q"});
      code = ran.exit_code;
      ++num_runs;
      num_stopped += code == 130 ? 1 : 0;
      ASSERT_THAT(code, ::testing::AnyOf(0, 4, 130)) << ran.output << ran.log;
      const Json receipt = ReadReceipt(number);
      ASSERT_TRUE(receipt["broken_sums"].empty()) << receipt["broken_sums"].dump();
      ASSERT_TRUE(code == 0 || receipt["stopped_by"].is_null() || code == 130) << code;
    }
    const Ran verified =
        Run({"verify", kLake, "--against", destination.folder().string(), "--no-cache", "-q"});
    ASSERT_EQ(verified.exit_code, 0) << verified.output << verified.log;
  }
  EXPECT_GT(num_stopped, num_rounds / 2);
  EXPECT_GT(num_runs, 3 * num_rounds);
}

TEST_F(ResumeTest, ABatchThatWasRefusedInPartIsSentAgain) {
  Destination destination(folder_.path() / "received");
  // The server says that it has left out one item, and in truth leaves out all of the request.
  destination.Plan(30, 0, 3, /*is_partial=*/true);
  ASSERT_EQ(Replay(&destination, 0).exit_code, 4);
  destination.Plan(0, 0, 4);
  const Ran resumed = Replay(&destination, 1);
  EXPECT_EQ(resumed.exit_code, 0) << resumed.output << resumed.log;
  const Ran verified =
      Run({"verify", kLake, "--against", destination.folder().string(), "--no-cache", "-q"});
  EXPECT_EQ(verified.exit_code, 0) << verified.output << verified.log;
}

TEST_F(ResumeTest, AFileWithAnotherTimeIsSentAgainAndNamed) {
  const fs::path lake = folder_.path() / "lake";
  ASSERT_EQ(Run({"convert", kLake, "--to", "star-parquet", "-o", lake.string(), "--signal", "logs",
                 "--no-cache", "-q"})
                .exit_code,
            0);
  const std::vector<std::string> replay = {"replay",     lake.string(), "--to", "null",
                                           "--no-cache", "--signal",    "logs", "--receipt"};
  std::vector<std::string> first = replay;
  first.push_back(Receipt(0));
  ASSERT_EQ(Run(first).exit_code, 0);
  for (const auto& entry : fs::recursive_directory_iterator(lake / "logs")) {
    if (entry.path().extension() == ".parquet") {
      fs::last_write_time(entry.path(), entry.last_write_time() + std::chrono::seconds(7));
    }
  }
  std::vector<std::string> second = replay;
  second.insert(second.end(), {Receipt(1), "--resume", Receipt(0)});
  const Ran resumed = Run(second);
  EXPECT_EQ(resumed.exit_code, 4);
  EXPECT_THAT(resumed.log, HasSubstr("delivered 2,000 logs"));
  EXPECT_THAT(resumed.log, HasSubstr("was written anew, or has another time, since its records "
                                     "were delivered"));
}

TEST_F(ResumeTest, TheSelectionOfTheFirstRunHolds) {
  Destination destination(folder_.path() / "received");
  destination.Plan(50, 0, 1);
  const std::vector<std::string> selection = {"--where", "severity_number >= 9", "--signal",
                                              "logs"};
  ASSERT_EQ(Replay(&destination, 0, selection).exit_code, 4);
  destination.Plan(0, 0, 2);
  const Ran resumed = Replay(&destination, 1);
  EXPECT_EQ(resumed.exit_code, 0) << resumed.output << resumed.log;
  EXPECT_FALSE(fs::exists(destination.folder() / "traces.binpb"));
  std::vector<std::string> verify = {"verify", kLake, "--against", destination.folder().string(),
                                     "--no-cache"};
  verify.insert(verify.end(), selection.begin(), selection.end());
  const Ran verified = Run(verify);
  EXPECT_EQ(verified.exit_code, 0) << verified.output << verified.log;
  // Nothing is left, which is no failure.
  const Ran again = Replay(&destination, 2);
  EXPECT_EQ(again.exit_code, 0) << again.output << again.log;
  EXPECT_EQ(Run(verify).exit_code, 0);
}

TEST_F(ResumeTest, WhatWasWrittenIsNotWrittenOver) {
  const std::string path = (folder_.path() / "all.jsonl").string();
  std::string to = "file:" + path;
  const std::string receipt = Receipt(0);
  const auto replay = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"replay", kLake, "--to", to, "--no-cache"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  };
  ASSERT_EQ(replay({"--receipt", receipt}).exit_code, 0);
  const auto size = fs::file_size(path);
  const Ran again = replay({"--resume", receipt});
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.log, HasSubstr("is there, and going on would write over"));
  EXPECT_EQ(fs::file_size(path), size);
  to = "null";
  const Ran folder = replay({"--resume", folder_.path().string()});
  EXPECT_EQ(folder.exit_code, 2);
  EXPECT_THAT(folder.log, HasSubstr("is no file"));
  EXPECT_THAT(replay({"--resume", "nowhere"}).log, HasSubstr("is not there"));
  const Ran signal = replay({"--resume", receipt, "--signal", "logs"});
  EXPECT_EQ(signal.exit_code, 2);
  EXPECT_THAT(signal.log, HasSubstr("leave the flag out"));
}

TEST_F(ResumeTest, AReceiptThatDoesNotFitIsRefused) {
  Destination destination(folder_.path() / "received");
  ASSERT_EQ(Replay(&destination, 0, {"--signal", "logs"}).exit_code, 0);
  const Json receipt = ReadReceipt(0);
  const auto refused = [&](const Json& changed, const std::vector<std::string>& more) {
    std::ofstream(Receipt(0)) << changed.dump();
    const Ran ran = Replay(&destination, 1, more);
    EXPECT_EQ(ran.exit_code, 2);
    return ran.log;
  };
  EXPECT_THAT(refused(receipt, {"--where", "severity_number >= 9", "--signal", "logs"}),
              HasSubstr("it is of a replay that sent everything, and this one sends"));
  Json changed = receipt;
  Json& source = changed["pipelines"][0]["nodes"][0]["source"];
  ASSERT_TRUE(source.is_object()) << receipt.dump();
  source["base"] = "/elsewhere";
  EXPECT_THAT(refused(changed, {}), HasSubstr("it is of a replay of '/elsewhere', not of"));
  source = receipt["pipelines"][0]["nodes"][0]["source"];
  source["progress"]["files"][0]["delivered"] = Json::array({Json::array({0, 0, 1'000'000})});
  EXPECT_THAT(refused(changed, {}), HasSubstr("file 1 of the list: delivered: found rows"));
  source["progress"] = nullptr;
  EXPECT_THAT(refused(changed, {}), HasSubstr("it does not say which files were delivered"));
  EXPECT_THAT(refused(Json::array(), {}), HasSubstr("is no receipt"));
}

}  // namespace
}  // namespace df::e2e
