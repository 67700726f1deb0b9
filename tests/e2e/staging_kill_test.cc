// A writer that stages small files is killed again and again: what it has acknowledged is there
// once.
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "engine_process.h"
#include "http_client.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kSeed = 20'261'129;
constexpr int kRounds = 8;
constexpr int kSenders = 2;

class StagingKill : public ::testing::Test {
 protected:
  fs::path lake() const { return folder_.path() / "lake"; }

  std::unique_ptr<EngineProcess> StartWriter(const std::string& name, uint16_t* port) {
    const fs::path folder = folder_.path() / name;
    fs::create_directories(folder);
    const fs::path document = folder / "document.yaml";
    std::ofstream(document) << fmt::format(
        "version: otel_dataflow/v1\n"
        "groups: {{g: {{pipelines: {{p: {{\n"
        "  policies: {{resources: {{core_allocation: {{type: core_count, count: 1}}}}}},\n"
        "  nodes: {{in: {{type: receiver:otlp, config: {{protocols: {{http: {{listening_addr: "
        "'127.0.0.1:0', wait_for_result: true}}}}}}}},\n"
        "    out: {{type: exporter:parquet, config: {{base_uri: '{}', time_levels: hour,\n"
        "      writer_options: {{flush_when_older_than: 2ms, flush_when_all_wait_for: 1ms,\n"
        "        roll_when_older_than: 25ms}}}}}}}},\n"
        "  connections: [{{from: in, to: out}}]}}}}}}}}\n",
        lake().string());
    auto process = std::make_unique<EngineProcess>(
        folder, EngineProcess::Options{.arguments = {"--strict", "-c", document.string()}});
    const std::string before = "OTLP over HTTP at 127.0.0.1:";
    std::string log;
    EXPECT_TRUE(process->WaitForOutput([&](const std::string&) {
      log = process->Log();
      const size_t at = log.find(before);
      return at != std::string::npos && log.find('\n', at) != std::string::npos;
    })) << process->Log();
    *port = static_cast<uint16_t>(std::stoi(log.substr(log.find(before) + before.size())));
    return process;
  }

  /// Sends records, each of a name of its own, until the other side is gone.
  void Send(uint16_t port, int round, int sender) {
    for (int i = 0;; ++i) {
      const std::string name = fmt::format("record-{}-{}-{}.", round, sender, i);
      const HttpAnswer answer =
          Http(port, "POST", "/v1/logs",
               fmt::format(R"({{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"of","value":)"
                           R"({{"stringValue":"{0}"}}}}]}},"scopeLogs":[{{"logRecords":[)"
                           R"({{"timeUnixNano":"{1}","body":{{"stringValue":"{0}"}}}}]}}]}}]}})",
                           name, int64_t{1'795'000'000'000'000'000} + (i % 3) * 3'600'000'000'000),
               "application/json");
      const std::lock_guard lock(mutex_);
      if (answer.status != 200) {
        return;
      }
      acked_.insert(name);
      has_acked_.notify_all();
    }
  }

  TemporaryFolder folder_;
  std::mutex mutex_;
  std::condition_variable has_acked_;
  std::set<std::string> acked_;
};

TEST_F(StagingKill, EveryRecordThatWasAcknowledgedIsThereOnce) {
  SCOPED_TRACE(fmt::format("seed {}", kSeed));
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < kRounds; ++round) {
    uint16_t port = 0;
    const auto writer = StartWriter(fmt::format("writer-{}", round), &port);
    std::vector<std::thread> senders;
    for (int sender = 0; sender < kSenders; ++sender) {
      senders.emplace_back([&, sender] { Send(port, round, sender); });
    }
    {
      std::unique_lock lock(mutex_);
      const size_t enough = acked_.size() + 5 + random() % 60;
      has_acked_.wait(lock, [&] { return acked_.size() >= enough; });
    }
    writer->Signal(SIGKILL);
    EXPECT_EQ(writer->Wait(), 128 + SIGKILL);
    for (std::thread& sender : senders) {
      sender.join();
    }
  }
  // The last start makes everything visible, and leaves nothing staged when it ends.
  uint16_t port = 0;
  const auto writer = StartWriter("last", &port);
  writer->Signal(SIGTERM);
  EXPECT_EQ(writer->Wait(), 0) << writer->Log();
  EXPECT_FALSE(fs::exists(lake() / "_staging")) << writer->Log();

  const fs::path replayed = folder_.path() / "replayed";
  fs::create_directories(replayed);
  const fs::path document = folder_.path() / "replay.yaml";
  std::ofstream(document) << fmt::format(
      "version: otel_dataflow/v1\n"
      "groups: {{g: {{pipelines: {{p: {{\n"
      "  policies: {{resources: {{core_allocation: {{type: core_count, count: 1}}}}}},\n"
      "  nodes: {{in: {{type: receiver:parquet, config: {{base_uri: '{}', polling_interval: "
      "once}}}},\n"
      "    out: {{type: exporter:file, config: {{path: '{}/logs.json', format: otlp_json}}}}}},\n"
      "  connections: [{{from: in, to: out}}]}}}}}}}}\n",
      lake().string(), replayed.string());
  EngineProcess replay(replayed, {.arguments = {"--strict", "-c", document.string()}});
  ASSERT_EQ(replay.Wait(), 0) << replay.Output() << replay.Log();

  std::ifstream file(replayed / "logs.json");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_GE(acked_.size(), size_t{kRounds * 5});
  for (const std::string& name : acked_) {
    const std::string body = fmt::format(R"("body":{{"stringValue":"{}"}})", name);
    const size_t first = text.find(body);
    EXPECT_NE(first, std::string::npos) << name << " is lost";
    if (first != std::string::npos) {
      EXPECT_EQ(text.find(body, first + 1), std::string::npos) << name << " is there twice";
    }
  }
}

}  // namespace
}  // namespace df::e2e
