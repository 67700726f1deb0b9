// The whole way: OTLP over the network, files, and OTLP over the network again.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "engine_process.h"
#include "http_client.h"
#include "otlp/compare/item_counts.h"
#include "otlp/request_file.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;

const fs::path kCorner = fs::path(OTAP_SOURCE_DIR) / "examples/data/corner";

/// A process with one pipeline of nodes, in a folder of its own.
class Circle : public ::testing::Test {
 protected:
  struct Engine {
    fs::path folder;
    std::unique_ptr<EngineProcess> process;
  };

  Engine Start(const std::string& name, const std::string& nodes, const std::string& connections) {
    Engine engine{folder_.path() / name, nullptr};
    fs::create_directories(engine.folder);
    const fs::path document = engine.folder / "document.yaml";
    std::ofstream(document) << fmt::format(
        "version: otel_dataflow/v1\n"
        "groups: {{g: {{pipelines: {{p: {{\n"
        "  policies: {{resources: {{core_allocation: {{type: core_count, count: 1}}}}}},\n"
        "  nodes: {{{}}},\n  connections: [{}]}}}}}}}}\n",
        nodes, connections);
    engine.process = std::make_unique<EngineProcess>(
        engine.folder, EngineProcess::Options{.arguments = {"--strict", "-c", document.string()}});
    return engine;
  }

  /// Waits until the receiver says where it listens.
  static uint16_t PortOf(EngineProcess* process, const std::string& protocol) {
    const std::string before = fmt::format("OTLP over {} at 127.0.0.1:", protocol);
    std::string log;
    EXPECT_TRUE(process->WaitForOutput([&](const std::string&) {
      log = process->Log();
      const size_t at = log.find(before);
      return at != std::string::npos && log.find('\n', at) != std::string::npos;
    })) << process->Log();
    const size_t at = log.find(before);
    return at == std::string::npos
               ? uint16_t{0}
               : static_cast<uint16_t>(std::stoi(log.substr(at + before.size())));
  }

  static std::string Receiver(const std::string& protocol) {
    return fmt::format(
        "in: {{type: receiver:otlp, config: {{protocols: {{{}: "
        "{{listening_addr: '127.0.0.1:0', wait_for_result: true}}}}}}}}",
        protocol);
  }

  /// Sends all requests of the sample as one: that is what their bytes one behind the other are.
  static void Post(uint16_t port, otap::Signal signal) {
    const std::string name(otap::Name(signal));
    std::string all;
    const arrow::Status read =
        otlp::VisitRequests((kCorner / (name + ".otlp")).string(), [&](std::string_view request) {
          all += request;
          return arrow::Status::OK();
        });
    ASSERT_TRUE(read.ok()) << read;
    const HttpAnswer answer = Http(port, "POST", "/v1/" + name, all, "application/x-protobuf");
    EXPECT_EQ(answer.status, 200) << answer.body;
  }

  TemporaryFolder folder_;
};

TEST_F(Circle, WhatComesInOverTheNetworkGoesOutUnchanged) {
  const fs::path lake = folder_.path() / "lake";
  Engine writer = Start("writer",
                        Receiver("http") + fmt::format(", out: {{type: exporter:parquet, config: "
                                                       "{{base_uri: '{}', writer_options: "
                                                       "{{flush_when_older_than: 5ms}}}}}}",
                                                       lake.string()),
                        "{from: in, to: out}");
  const uint16_t port = PortOf(writer.process.get(), "HTTP");
  for (const otap::Signal signal : otap::kAllSignals) {
    Post(port, signal);
  }
  // Everything was answered, so everything is durable: no orderly end is needed.
  writer.process->Signal(SIGKILL);
  EXPECT_EQ(writer.process->Wait(), 128 + SIGKILL);

  Engine sink = Start("sink",
                      Receiver("grpc") + fmt::format(", out: {{type: exporter:file, config: "
                                                     "{{path: '{}/{{signal}}.otlp', "
                                                     "format: otlp_proto}}}}",
                                                     folder_.path().string()),
                      "{from: in, to: out}");
  const uint16_t sink_port = PortOf(sink.process.get(), "gRPC");
  Engine replay = Start("replay",
                        fmt::format("in: {{type: receiver:parquet, config: {{base_uri: '{}', "
                                    "polling_interval: once}}}}, out: {{type: exporter:otlp_grpc, "
                                    "config: {{grpc_endpoint: 'http://127.0.0.1:{}', "
                                    "compression: zstd}}}}",
                                    lake.string(), sink_port),
                        "{from: in, to: out}");
  EXPECT_EQ(replay.process->Wait(), 0) << replay.process->Output() << replay.process->Log();
  sink.process->Signal(SIGTERM);
  EXPECT_EQ(sink.process->Wait(), 0) << sink.process->Log();

  for (const otap::Signal signal : otap::kAllSignals) {
    const std::string file = std::string(otap::Name(signal)) + ".otlp";
    // Nothing is excused.
    const auto comparison = otlp::CompareFiles(signal, (kCorner / file).string(),
                                               {(folder_.path() / file).string()}, {});
    ASSERT_TRUE(comparison.ok()) << comparison.status();
    EXPECT_GT(comparison->expected, 0);
    EXPECT_TRUE(comparison->is_equal())
        << comparison->Line(signal) << "\nmissing "
        << ::testing::PrintToString(comparison->missing_examples) << "\nextra "
        << ::testing::PrintToString(comparison->extra_examples);
  }
}

}  // namespace
}  // namespace df::e2e
