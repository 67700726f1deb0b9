// What a destination refuses permanently goes to a folder, and comes back from it as it was sent.
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine_process.h"
#include "http_client.h"
#include "http_server.h"
#include "json_schema.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kLake = OTAP_SOURCE_DIR "/examples/data/corner/parquet";
const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
// partial_success {rejected: 1}
const std::string kPartial(
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
    "Content-Length: 4\r\n\r\n\x0A\x02\x08\x01");
const std::string kBad =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\n"
    "no such tenant";

/// What becomes of the request of a number, counted from 1.
enum class Fate { kTaken, kRefused, kRefusedInPart };

/// A server that keeps what it takes. Of a request that is refused in part it keeps nothing, though
/// it says that it has left out one item.
class Destination {
 public:
  explicit Destination(fs::path folder)
      : folder_(std::move(folder)), server_([this](std::string_view head, std::string_view body) {
          return Answer(head, body);
        }) {
    fs::create_directories(folder_);
  }

  void Plan(std::function<Fate(int)> fate) {
    const std::lock_guard lock(mutex_);
    fate_ = std::move(fate);
    num_requests_ = 0;
  }
  std::string uri() const { return fmt::format("http://127.0.0.1:{}", server_.port()); }
  const fs::path& folder() const { return folder_; }

 private:
  std::string Answer(std::string_view head, std::string_view body) {
    const std::lock_guard lock(mutex_);
    const Fate fate = fate_ == nullptr ? Fate::kTaken : fate_(++num_requests_);
    if (fate != Fate::kTaken) {
      return fate == Fate::kRefused ? kBad : kPartial;
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
  std::function<Fate(int)> fate_;
  int num_requests_ = 0;
  HttpServer server_;
};

Fate EveryThirdIsRefused(int number) { return number % 3 == 0 ? Fate::kRefused : Fate::kTaken; }

class DeadLettersTest : public ::testing::Test {
 protected:
  Ran Run(std::vector<std::string> arguments) {
    return RunIn(folder_.path(), std::move(arguments));
  }

  std::vector<std::string> Replay(const fs::path& archive, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"replay",      archive.string(), "--to",
                                          server_.uri(), "--compression",  "none",
                                          "--no-cache",  "--receipt",      Receipt()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::vector<std::string> WithLetters(const std::vector<std::string>& more = {}) {
    std::vector<std::string> all = {"--dead-letters", letters_.string()};
    all.insert(all.end(), more.begin(), more.end());
    return Replay(kLake, all);
  }

  std::string Receipt() const { return (folder_.path() / "receipt.json").string(); }
  Json ReadReceipt() const {
    std::ifstream file(Receipt());
    Json receipt = Json::parse(file);
    std::ifstream schema(OTAP_SOURCE_DIR "/docs/receipt.schema.json");
    EXPECT_EQ(SchemaMismatch(receipt, Json::parse(schema)), "");
    EXPECT_TRUE(receipt["broken_sums"].empty()) << receipt["broken_sums"].dump();
    return receipt;
  }
  /// A number of the items of all signals.
  static int64_t SumOf(const Json& receipt, const std::string& name) {
    int64_t sum = 0;
    for (const Json& node : receipt["pipelines"][0]["nodes"]) {
      if (node["source"].is_object()) {
        for (const Json& signal : node["source"]["signals"]) {
          sum += signal["items"][name].get<int64_t>();
        }
      }
    }
    return sum;
  }

  Ran Verify() {
    return Run({"verify", kLake, "--against", server_.folder().string(), "--no-cache"});
  }

  TemporaryFolder folder_;
  fs::path letters_ = folder_.path() / "letters";
  Destination server_{folder_.path() / "received"};
};

TEST_F(DeadLettersTest, WhatWasRefusedComesBackAsItWasSent) {
  server_.Plan(EveryThirdIsRefused);
  const Ran refused = Run(WithLetters());
  EXPECT_EQ(refused.exit_code, 4) << refused.log;
  EXPECT_THAT(refused.log, HasSubstr("of them among the dead letters"));
  EXPECT_THAT(refused.log, HasSubstr("no such tenant (dead letters)"));
  EXPECT_THAT(refused.log, HasSubstr("'df_engine replay " + letters_.string() + "' sends them"));
  const Json receipt = ReadReceipt();
  const int64_t num_letters = SumOf(receipt, "dead_letters");
  EXPECT_GT(num_letters, 0);
  EXPECT_EQ(num_letters, SumOf(receipt, "refused"));
  EXPECT_NE(Verify().exit_code, 0) << "some of it is missing";

  const Ran shown = Run({"logs", letters_.string(), "--no-cache", "--json", "--where",
                         R"(resource.attributes["df_engine.dead_letter.status"] == "refused")"});
  EXPECT_THAT(shown.output, HasSubstr("HTTP 400: no such tenant"));

  server_.Plan(nullptr);
  const Ran again = Run(Replay(letters_, {}));
  EXPECT_EQ(again.exit_code, 0) << again.log;
  EXPECT_EQ(SumOf(ReadReceipt(), "delivered"), num_letters);
  const Ran verified = Verify();
  EXPECT_EQ(verified.exit_code, 0) << verified.output << verified.log;
}

TEST_F(DeadLettersTest, OfARequestThatWasRefusedInPartAllComesBack) {
  server_.Plan([](int number) { return number % 4 == 0 ? Fate::kRefusedInPart : Fate::kTaken; });
  EXPECT_EQ(Run(WithLetters()).exit_code, 4);
  const Json receipt = ReadReceipt();
  EXPECT_GT(SumOf(receipt, "dead_letters"), 0);
  EXPECT_EQ(SumOf(receipt, "dead_letters"), SumOf(receipt, "refused"));
  server_.Plan(nullptr);
  EXPECT_EQ(Run(Replay(letters_, {})).exit_code, 0);
  const Ran verified = Verify();
  EXPECT_EQ(verified.exit_code, 0) << verified.output << verified.log;
}

TEST_F(DeadLettersTest, LettersThatAreRefusedAgainAreLettersOnceMore) {
  server_.Plan(EveryThirdIsRefused);
  ASSERT_EQ(Run(WithLetters()).exit_code, 4);
  server_.Plan([](int number) { return number % 2 == 0 ? Fate::kRefused : Fate::kTaken; });
  const fs::path second = folder_.path() / "second";
  ASSERT_EQ(Run(Replay(letters_, {"--dead-letters", second.string()})).exit_code, 4);
  server_.Plan(nullptr);
  ASSERT_EQ(Run(Replay(second, {})).exit_code, 0);
  const Ran verified = Verify();
  EXPECT_EQ(verified.exit_code, 0) << verified.output << verified.log;
}

TEST_F(DeadLettersTest, MarksStayWhereTheyAreWanted) {
  server_.Plan([](int) { return Fate::kRefused; });
  ASSERT_EQ(Run(WithLetters({"--signal", "logs"})).exit_code, 4);
  const auto replay = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"replay", letters_.string(), "--to", "-", "--no-cache"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments).output;
  };
  EXPECT_THAT(replay({}), Not(HasSubstr("df_engine.dead_letter")));
  EXPECT_THAT(replay({"--keep-dead-letter-marks"}), HasSubstr("df_engine.dead_letter.reason"));
}

TEST_F(DeadLettersTest, WhatIsADeadLetterIsNotSentAgainFromACheckpointOrAReceipt) {
  const std::string checkpoint = (folder_.path() / "checkpoints" / "night").string();
  server_.Plan(EveryThirdIsRefused);
  ASSERT_EQ(Run(WithLetters({"--checkpoint", checkpoint})).exit_code, 4);
  fs::copy_file(Receipt(), Receipt() + ".first");
  server_.Plan(nullptr);
  EXPECT_EQ(Run(WithLetters({"--checkpoint", checkpoint})).exit_code, 0);
  EXPECT_EQ(SumOf(ReadReceipt(), "sent"), 0);
  EXPECT_EQ(Run(WithLetters({"--resume", Receipt() + ".first"})).exit_code, 0);
  EXPECT_EQ(SumOf(ReadReceipt(), "sent"), 0);
  ASSERT_EQ(Run(Replay(letters_, {})).exit_code, 0);
  EXPECT_EQ(Verify().exit_code, 0);
}

TEST_F(DeadLettersTest, AFolderThatFailsLosesNothing) {
  // The program has proved by its first request that it can write there.
  server_.Plan([this](int number) {
    if (number == 1) {
      fs::permissions(letters_, fs::perms(0555));
    }
    return EveryThirdIsRefused(number);
  });
  EngineProcess process(folder_.path(), {.arguments = WithLetters(), .obeys_permissions = true});
  EXPECT_EQ(process.Wait(), 4) << process.Log();
  EXPECT_THAT(process.Log(), HasSubstr("could not be written as a dead letter"));
  fs::permissions(letters_, fs::perms(0777));
  const Json receipt = ReadReceipt();
  EXPECT_EQ(SumOf(receipt, "dead_letters"), 0);
  EXPECT_GT(SumOf(receipt, "refused"), 0);
  server_.Plan(nullptr);
  fs::rename(Receipt(), Receipt() + ".first");
  const Ran resumed = Run(Replay(kLake, {"--resume", Receipt() + ".first"}));
  EXPECT_EQ(resumed.exit_code, 0) << resumed.log;
  const Ran verified = Verify();
  EXPECT_EQ(verified.exit_code, 0) << verified.output << verified.log;
}

TEST_F(DeadLettersTest, OnErrorStopEndsTheRun) {
  server_.Plan([this](int number) {
    if (number == 1) {
      fs::permissions(letters_, fs::perms(0555));
    }
    return Fate::kRefused;
  });
  EngineProcess process(
      folder_.path(),
      {.arguments = WithLetters({"--on-error", "stop", "--follow", "--threads", "1"}),
       .obeys_permissions = true});
  EXPECT_EQ(process.Wait(), 1) << process.Log();
  EXPECT_THAT(process.Log(), HasSubstr("a dead letter cannot be written (on_error: stop)"));
  fs::permissions(letters_, fs::perms(0777));
}

TEST_F(DeadLettersTest, FoldersThatAreReadOrWrittenAreRefused) {
  const std::string archive = (folder_.path() / "archive").string();
  ASSERT_EQ(Run({"convert", kLake, "--to", "star-parquet", "-o", archive, "--no-cache"}).exit_code,
            0);
  const Ran itself = Run({"replay", archive, "--to", "null", "--dead-letters", archive});
  EXPECT_EQ(itself.exit_code, 2);
  EXPECT_THAT(itself.log, HasSubstr("is the archive itself; name a folder of their own"));
  const std::string to = (folder_.path() / "to").string();
  const Ran target = Run({"replay", archive, "--to", to, "--dead-letters", to});
  EXPECT_EQ(target.exit_code, 2);
  EXPECT_THAT(target.log, HasSubstr("is the destination"));
  const Ran alone = Run({"replay", archive, "--to", "null", "--on-error", "stop"});
  EXPECT_EQ(alone.exit_code, 2);
  EXPECT_THAT(alone.log, HasSubstr("found no dead letters that it is about"));
}

/// Whether a file of dead letters is being written. The file with which the
/// program tries whether it can write there does not count.
bool IsBeingWritten(const fs::path& letters) {
  std::error_code error;
  fs::recursive_directory_iterator entry(letters, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() == ".tmp" && entry.depth() > 0) {
      return true;
    }
  }
  return false;
}

TEST_F(DeadLettersTest, AProcessThatIsKilledLosesNothing) {
  const std::vector<std::string> arguments =
      WithLetters({"--checkpoint", (folder_.path() / "checkpoints" / "night").string()});
  server_.Plan(EveryThirdIsRefused);
  {
    EngineProcess process(folder_.path(), {.arguments = arguments});
    std::atomic<bool> has_ended = false;
    std::thread killer([&] {
      while (!has_ended && !IsBeingWritten(letters_)) {
        std::this_thread::yield();
      }
      process.Signal(SIGKILL);
    });
    EXPECT_EQ(process.Wait(), 128 + SIGKILL) << process.Log();
    has_ended = true;
    killer.join();
  }
  EXPECT_TRUE(IsBeingWritten(letters_)) << "it was not killed in the middle of a file";
  server_.Plan(EveryThirdIsRefused);
  const Ran second = Run(arguments);
  EXPECT_EQ(second.exit_code, 4) << second.log;
  EXPECT_FALSE(IsBeingWritten(letters_));
  server_.Plan(nullptr);
  ASSERT_EQ(Run(Replay(letters_, {})).exit_code, 0);
  // What was in flight comes twice; nothing is missing, and nothing is another than it was.
  const Ran verified = Run({"verify", kLake, "--against", server_.folder().string(), "--no-cache"});
  EXPECT_THAT(verified.output, Not(::testing::ContainsRegex("[1-9][0-9,]* only here")))
      << verified.output;
}

TEST_F(DeadLettersTest, ALivePipelineKeepsWhatTheBackendRefuses) {
  server_.Plan([](int) { return Fate::kRefused; });
  std::ofstream(folder_.path() / "live.yaml") << fmt::format(
      R"(
version: otel_dataflow/v1
groups: {{g: {{pipelines: {{p: {{
  nodes: {{
    otlp: {{type: receiver:otlp, config: {{protocols: {{http: {{
      listening_addr: "127.0.0.1:0", wait_for_result: true}}}}}}}},
    refused: {{type: processor:dead_letters, default_output: backend}},
    backend: {{type: exporter:otlp_http, config: {{endpoint: "{}"}}}},
    letters: {{type: exporter:parquet, config: {{base_uri: "{}", dead_letters: true}}}}}},
  connections: [{{from: otlp, to: refused}}, {{from: 'refused["backend"]', to: backend}},
                {{from: 'refused["dead_letters"]', to: letters}}]}}}}}}}}
)",
      server_.uri(), letters_.string());
  EngineProcess process(folder_.path(), {.arguments = {"--num-cores", "1", "-c", "live.yaml"}});
  const std::string before = "OTLP over HTTP at 127.0.0.1:";
  std::string log;
  ASSERT_TRUE(process.WaitForOutput([&](const std::string&) {
    log = process.Log();
    const size_t at = log.find(before);
    return at != std::string::npos && log.find('\n', at) != std::string::npos;
  })) << process.Log();
  const auto port = static_cast<uint16_t>(std::stoi(log.substr(log.find(before) + before.size())));
  const std::string request =
      R"({"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":)"
      R"("cart"}}]},"scopeLogs":[{"logRecords":[{"body":{"stringValue":"a refused line"}}]}]}]})";
  const HttpAnswer answer = Http(port, "POST", "/v1/logs", request, "application/json");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(answer.body, Not(HasSubstr("rejected"))) << "it is durable";
  process.Signal(SIGKILL);  // what was answered is in the folder
  process.Wait();
  const Ran replayed = Run({"replay", letters_.string(), "--to", "-", "--no-cache"});
  EXPECT_EQ(replayed.exit_code, 0) << replayed.log;
  EXPECT_THAT(replayed.output, HasSubstr("a refused line"));
  EXPECT_THAT(replayed.output, Not(HasSubstr("df_engine.dead_letter")));
}

}  // namespace
}  // namespace df::e2e
