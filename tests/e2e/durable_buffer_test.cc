// A buffer on disk whose process is killed while the backend is down: what was acknowledged
// arrives.
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine_process.h"
#include "http_client.h"
#include "http_server.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const std::string kDown = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

/// A backend that is down until it is told otherwise, and counts the records that it takes.
class Backend {
 public:
  uint16_t port() const { return server_.port(); }
  void SetUp(bool is_up) { is_up_ = is_up; }
  std::map<std::string, int> taken() {
    const std::lock_guard lock(mutex_);
    return taken_;
  }

 private:
  std::string Answer(std::string_view body) {
    if (!is_up_) {
      return kDown;
    }
    static const std::regex kName("record-[0-9]+-[0-9]+[.]");
    const std::string text(body);
    const std::lock_guard lock(mutex_);
    for (std::sregex_iterator name(text.begin(), text.end(), kName), end; name != end; ++name) {
      ++taken_[name->str()];
    }
    return kOk;
  }

  std::atomic<bool> is_up_ = false;
  std::mutex mutex_;
  std::map<std::string, int> taken_;
  HttpServer server_{[this](std::string_view, std::string_view body) { return Answer(body); }};
};

class DurableBufferKill : public ::testing::Test {
 protected:
  std::unique_ptr<EngineProcess> StartEngine(int round, uint16_t* port) {
    const fs::path folder = folder_.path() / fmt::format("run-{}", round);
    fs::create_directories(folder);
    std::ofstream(folder / "document.yaml") << fmt::format(
        "version: otel_dataflow/v1\n"
        "groups: {{g: {{pipelines: {{p: {{\n"
        "  policies: {{resources: {{core_allocation: {{type: core_count, count: 1}}}}}},\n"
        "  nodes: {{in: {{type: receiver:otlp, config: {{protocols: {{http: {{listening_addr: "
        "'127.0.0.1:0', wait_for_result: true}}}}}}}},\n"
        "    buffer: {{type: processor:durable_buffer, config: {{path: '{}', segment_bytes: "
        "64KiB,\n"
        "      retry_interval: 5ms, max_retry_interval: 20ms}}}},\n"
        "    out: {{type: exporter:otlp_http, config: {{endpoint: 'http://127.0.0.1:{}',\n"
        "      compression: none}}}}}},\n"
        "  connections: [{{from: in, to: buffer}}, {{from: buffer, to: out}}]}}}}}}}}\n",
        (folder_.path() / "buffer").string(), backend_.port());
    auto process = std::make_unique<EngineProcess>(
        folder, EngineProcess::Options{
                    .arguments = {"--strict", "-c", (folder / "document.yaml").string()}});
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

  /// Sends a record of a name of its own. Returns whether it was acknowledged.
  bool Send(uint16_t port, const std::string& name) {
    const HttpAnswer answer =
        Http(port, "POST", "/v1/logs",
             fmt::format(R"({{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[)"
                         R"({{"body":{{"stringValue":"{}"}}}}]}}]}}]}})",
                         name),
             "application/json");
    return answer.status == 200;
  }

  TemporaryFolder folder_;
  Backend backend_;
};

TEST_F(DurableBufferKill, WhatWasAcknowledgedArrives) {
  std::set<std::string> acked;
  uint16_t port = 0;
  for (int round = 0; round < 4; ++round) {
    auto process = StartEngine(round, &port);
    // In the middle the backend takes some before the kill; in the end something is left.
    backend_.SetUp(round == 1 || round == 2);
    std::thread killer;
    for (int i = 0; i < 1'000; ++i) {
      const std::string name = fmt::format("record-{}-{}.", round, i);
      if (!Send(port, name)) {
        break;
      }
      acked.insert(name);
      if (i == 60 + 20 * round) {  // while the next ones are sent
        killer = std::thread([&process] { process->Signal(SIGKILL); });
      }
    }
    killer.join();
    EXPECT_EQ(process->Wait(), 128 + SIGKILL) << process->Log();
  }
  ASSERT_GT(acked.size(), 300U);
  backend_.SetUp(true);
  auto process = StartEngine(4, &port);
  const auto missing = [&] {
    std::vector<std::string> names;
    const auto taken = backend_.taken();
    for (const std::string& name : acked) {
      if (!taken.contains(name)) {
        names.push_back(name);
      }
    }
    return names;
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!missing().empty() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_THAT(missing(), ::testing::IsEmpty()) << process->Log();
  process->Signal(SIGTERM);
  EXPECT_EQ(process->Wait(), 0) << process->Log();
  EXPECT_THAT(process->Log(), HasSubstr("of an earlier run are delivered first"));
  // What was in flight at a kill comes twice: max_in_flight batches of one record, four times.
  int num_twice = 0;
  for (const auto& [name, count] : backend_.taken()) {
    num_twice += count - 1;
  }
  EXPECT_LE(num_twice, 4 * 16);
}

}  // namespace
}  // namespace df::e2e
