// What failed permanently is in quarantine: not tried again, and never taken for delivered.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
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
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kLake = OTAP_SOURCE_DIR "/examples/data/corner/parquet";
const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const std::string kBad =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nnot mine\n";

/// A server that refuses some of its first requests permanently.
class RefusingServer {
 public:
  RefusingServer()
      : server_([this](std::string_view, std::string_view) {
          const std::lock_guard lock(mutex_);
          ++num_requests_;
          const bool is_refused = num_to_refuse_ > 0;
          num_to_refuse_ -= is_refused ? 1 : 0;
          return is_refused ? kBad : kOk;
        }) {}
  void RefuseNext(int requests) {
    const std::lock_guard lock(mutex_);
    num_to_refuse_ = requests;
  }
  int TakeRequests() {
    const std::lock_guard lock(mutex_);
    return std::exchange(num_requests_, 0);
  }
  std::string uri() const { return fmt::format("http://127.0.0.1:{}", server_.port()); }

 private:
  std::mutex mutex_;
  int num_to_refuse_ = 0;
  int num_requests_ = 0;
  HttpServer server_;
};

class QuarantineTest : public ::testing::Test {
 protected:
  QuarantineTest() {
    fs::copy(fs::path(kLake) / "logs", lake() / "logs", fs::copy_options::recursive);
    fs::copy(fs::path(kLake) / "log_attrs", lake() / "log_attrs", fs::copy_options::recursive);
    for (const char* table : {"resource_attrs", "scope_attrs"}) {
      if (fs::exists(fs::path(kLake) / table)) {
        fs::copy(fs::path(kLake) / table, lake() / table, fs::copy_options::recursive);
      }
    }
  }

  fs::path lake() const {
    fs::create_directories(folder_.path() / "lake");
    return folder_.path() / "lake";
  }

  fs::path FirstFileOfLogs() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(lake() / "logs")) {
      if (entry.is_regular_file()) {
        files.push_back(entry.path());
      }
    }
    return *std::min_element(files.begin(), files.end());
  }

  /// Replays the logs; the receipt is in receipt.json then.
  Ran Replay() {
    return RunIn(folder_.path(),
                 {"replay", lake().string(), "--to", server_.uri(), "--no-cache", "--signal",
                  "logs", "--checkpoint", "state/night", "--receipt", "receipt.json"});
  }
  json Receipt() const {
    std::ifstream file(folder_.path() / "receipt.json");
    return json::parse(file);
  }
  Ran Quarantine(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "quarantine");
    return RunIn(folder_.path(), std::move(arguments));
  }
  json List() const {
    const Ran ran = Quarantine({"list", "state/night", "--json"});
    EXPECT_EQ(ran.exit_code, 0) << ran.log;
    return json::parse(ran.output)["entries"];
  }

  RefusingServer server_;
  TemporaryFolder folder_;
};

TEST_F(QuarantineTest, ABatchThatWasRefusedIsNotTriedAgainUntilSomebodySaysSo) {
  server_.RefuseNext(1);
  const Ran first = Replay();
  EXPECT_EQ(first.exit_code, 4) << first.log;
  const int num_requests = server_.TakeRequests();
  ASSERT_GT(num_requests, 1);

  const Ran second = Replay();
  EXPECT_EQ(second.exit_code, 4) << "what is left out is not complete: " << second.log;
  EXPECT_EQ(server_.TakeRequests(), 0);
  EXPECT_THAT(second.log, HasSubstr("incomplete: quarantined: logs/"));
  const std::string receipt = Receipt().dump();
  EXPECT_THAT(receipt, AllOf(HasSubstr("\"quarantined\""), HasSubstr("not mine")));

  const json entries = List();
  ASSERT_EQ(entries.size(), 1u) << entries;
  EXPECT_EQ(entries[0]["cause"], "refused");
  EXPECT_GT(entries[0]["records"], 0);
  EXPECT_THAT(entries[0]["reason"].get<std::string>(), HasSubstr("not mine"));
  const Ran shown = Quarantine({"show", "state/night", "1"});
  EXPECT_THAT(shown.output, AllOf(HasSubstr("entry 1: refused"), HasSubstr("row group 0 rows ")));
  EXPECT_EQ(Quarantine({"show", "state/night", "7"}).exit_code, 5);
  EXPECT_EQ(Quarantine({"retry", "state/night"}).exit_code, 2);
  EXPECT_EQ(Quarantine({"retry", "state/night", "one"}).exit_code, 2);

  const Ran retry = Quarantine({"retry", "state/night", "1"});
  EXPECT_EQ(retry.exit_code, 0) << retry.log;
  const Ran third = Replay();
  EXPECT_EQ(third.exit_code, 0) << third.log;
  EXPECT_EQ(server_.TakeRequests(), 1) << "the batch that was refused, and nothing else";
  EXPECT_EQ(Replay().exit_code, 0);
  EXPECT_EQ(server_.TakeRequests(), 0);
  std::ifstream audit(folder_.path() / "state/night.audit.jsonl");
  std::string line;
  ASSERT_TRUE(std::getline(audit, line));
  EXPECT_EQ(json::parse(line)["action"], "retry");
  EXPECT_EQ(json::parse(line)["quarantined_before"], 1);
  EXPECT_EQ(json::parse(line)["quarantined_after"], 0);
}

TEST_F(QuarantineTest, AServerThatTakesNothingPutsNothingThere) {
  server_.RefuseNext(1'000'000);
  const Ran first = Replay();
  EXPECT_EQ(first.exit_code, 4) << first.log;
  const int num_requests = server_.TakeRequests();
  EXPECT_TRUE(List().empty());
  server_.RefuseNext(0);
  const Ran second = Replay();
  EXPECT_EQ(second.exit_code, 0) << second.log;
  EXPECT_EQ(server_.TakeRequests(), num_requests);
}

TEST_F(QuarantineTest, WhatIsDroppedIsNotMissedAndNotSent) {
  server_.RefuseNext(1);
  EXPECT_EQ(Replay().exit_code, 4);
  server_.TakeRequests();
  EXPECT_EQ(Quarantine({"drop", "state/night", "--all"}).exit_code, 0);
  const Ran after = Replay();
  EXPECT_EQ(after.exit_code, 0) << after.log;
  EXPECT_EQ(server_.TakeRequests(), 0);
  EXPECT_EQ(List()[0]["dropped"], true);
  // What an operator has given up is not taken up again in passing.
  const Ran again = Quarantine({"retry", "state/night", "--all"});
  EXPECT_EQ(again.exit_code, 0) << again.log;
  EXPECT_THAT(again.output, HasSubstr("tries 0 entries again"));
  EXPECT_EQ(List()[0]["dropped"], true);
  // It can still be had.
  EXPECT_EQ(Quarantine({"retry", "state/night", "1"}).exit_code, 0);
  EXPECT_EQ(Replay().exit_code, 0);
  EXPECT_EQ(server_.TakeRequests(), 1);
}

TEST_F(QuarantineTest, ACopyOfTheCheckpointHasItToo) {
  server_.RefuseNext(1);
  EXPECT_EQ(Replay().exit_code, 4);
  server_.TakeRequests();
  EXPECT_EQ(
      RunIn(folder_.path(), {"checkpoint", "export", "state/night", "-o", "night.json"}).exit_code,
      0);
  EXPECT_EQ(
      RunIn(folder_.path(), {"checkpoint", "import", "state/night", "night.json", "--replace"})
          .exit_code,
      0);
  EXPECT_EQ(Replay().exit_code, 4);
  EXPECT_EQ(server_.TakeRequests(), 0);
  EXPECT_EQ(List().size(), 1u);
}

TEST_F(QuarantineTest, AFileWithoutAFooterIsLeftAloneUntilItIsAnother) {
  const fs::path file = FirstFileOfLogs();
  const fs::path whole = folder_.path() / "whole";
  fs::copy_file(file, whole);
  fs::resize_file(file, fs::file_size(file) / 2);
  const Ran first = Replay();
  EXPECT_EQ(first.exit_code, 4) << first.log;
  EXPECT_THAT(first.log, Not(HasSubstr("in quarantine")));
  server_.TakeRequests();
  const json entries = List();
  ASSERT_EQ(entries.size(), 1u) << entries;
  EXPECT_EQ(entries[0]["cause"], "unreadable");
  EXPECT_EQ(entries[0]["records"], nullptr);
  EXPECT_THAT(file.string(), ::testing::EndsWith(entries[0]["file"].get<std::string>()));

  const Ran second = Replay();
  EXPECT_EQ(second.exit_code, 4) << second.log;
  EXPECT_EQ(server_.TakeRequests(), 0);
  EXPECT_THAT(second.log, HasSubstr("in quarantine, not tried again"));

  EXPECT_EQ(Quarantine({"drop", "state/night", "1"}).exit_code, 0);
  EXPECT_EQ(Replay().exit_code, 0);
  // One that is put in its place is another file, and is sent.
  fs::copy_file(whole, file, fs::copy_options::overwrite_existing);
  const Ran mended = Replay();
  EXPECT_EQ(mended.exit_code, 0) << mended.log;
  EXPECT_GT(server_.TakeRequests(), 0);
  EXPECT_TRUE(List().empty());
}

TEST_F(QuarantineTest, RowsThatCannotBeReadAreNamedByEachRun) {
  std::fstream file(FirstFileOfLogs(), std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(4);
  file << std::string(200, '\xff');
  file.close();
  const Ran first = Replay();
  EXPECT_EQ(first.exit_code, 4) << first.log;
  EXPECT_GT(server_.TakeRequests(), 0);
  const json entries = List();
  ASSERT_EQ(entries.size(), 1u) << entries << first.log;
  EXPECT_EQ(entries[0]["cause"], "unreadable");
  EXPECT_GT(entries[0]["records"], 0);
  const Ran second = Replay();
  EXPECT_EQ(second.exit_code, 4) << second.log;
  EXPECT_EQ(server_.TakeRequests(), 0);
  EXPECT_THAT(second.log, AllOf(HasSubstr("incomplete: quarantined: logs/"),
                                HasSubstr(fmt::format(".parquet: {} records: ",
                                                      entries[0]["records"].get<int64_t>()))));
}

}  // namespace
}  // namespace df::e2e
