// The node over real sockets of this machine, with a gRPC server in the same loop.
#include "nodes/exporters/otap/grpc_streams.h"

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/node_registry.h"
#include "otap_wire/consumer.h"
#include "otap_wire/message.h"
#include "runtime/grpc/server.h"
#include "testing/pipeline_harness.h"

namespace df::nodes::exporters::otap {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using otap_wire::StatusCode;
using runtime::grpc::CallStatus;
using runtime::grpc::Code;
using std::chrono::seconds;
using ::testing::HasSubstr;

/// Acks every batch that it can read, or ends each call as the test says.
class AckingServer final : public runtime::grpc::CallHandler {
 public:
  runtime::Task<CallStatus> OnCall(runtime::grpc::ServerCall& call) override {
    paths.push_back(call.path());
    const std::string* token = runtime::http2::Find(call.metadata(), "x-token");
    tokens.push_back(token == nullptr ? "" : *token);
    if (!refusal.ok()) {
      co_return refusal;
    }
    call.SendHeaders();
    otap_wire::Consumer consumer(df::otap::Signal::kLogs);
    std::string message;
    while (co_await call.Read(&message)) {
      const auto records = otap_wire::ReadBatchArrowRecords(message);
      const auto batch = consumer.Consume(message);
      otap_wire::BatchStatus status{records->batch_id, StatusCode::kInvalidArgument, "unreadable"};
      if (batch.ok()) {
        num_items += (*batch)->num_items();
        status = {records->batch_id, StatusCode::kOk, ""};
      }
      if (!co_await call.Write(otap_wire::WriteBatchStatus(status))) {
        break;
      }
    }
    ++num_ended;
    co_return call.status();
  }

  CallStatus refusal;
  std::vector<std::string> paths;
  std::vector<std::string> tokens;
  int64_t num_items = 0;
  int64_t num_ended = 0;
};

class GrpcStreamsTest : public ::testing::Test {
 protected:
  void TearDown() override { Stop(); }

  void Stop() {
    if (harness_ != nullptr) {
      harness_->Destroy();
    }
    server_.reset();
  }

  void Start(const std::string& config, uint16_t port) {
    harness_ = std::make_unique<testing::PipelineHarness>(
        fmt::format(R"(
            nodes:
              source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
                        out_ports: {{out: {{destinations: [sink]}}}}}}
              sink: {{kind: exporter, plugin_urn: "urn:otel:otap:exporter",
                      config: {{grpc_endpoint: "http://127.0.0.1:{}"{}}}}})",
                    port, config),
        std::vector<const engine::NodeDescriptor*>{&kDescriptor});
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->source().ends_by_itself = false;
    harness_->RunUntilIdle();
  }

  /// Listens in a loop of its own, because the pipeline has to know the port.
  void StartServer(const std::string& config = "") {
    server_loop_ = std::make_unique<runtime::EventLoop>();
    runtime::grpc::ServerSettings settings;
    settings.http2.address = "127.0.0.1:0";
    auto server = runtime::grpc::Server::Listen(server_loop_.get(), settings, &handler_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    Start(config, server_->port());
  }

  void RunUntil(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + seconds(20);
    while (true) {
      harness_->RunUntilIdle();
      if (server_loop_ != nullptr) {
        server_loop_->RunUntilIdle();
      }
      if (condition()) {
        return;
      }
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "what the test waits for does not come";
      std::this_thread::yield();
    }
  }

  void Send(int64_t num_rows) { harness_->source().Send(testing::SmallLogs(num_rows)); }
  std::map<uint64_t, engine::Outcome>& outcomes() { return harness_->source().outcomes; }

  AckingServer handler_;
  std::unique_ptr<runtime::EventLoop> server_loop_;
  std::unique_ptr<runtime::grpc::Server> server_;
  std::unique_ptr<testing::PipelineHarness> harness_;
};

TEST_F(GrpcStreamsTest, BatchesAreAckedOverOneStream) {
  for (const char* compression : {"none", "gzip", "zstd"}) {
    handler_ = AckingServer();
    StartServer(fmt::format(", compression_method: {}, headers: {{x-token: secret}}", compression));
    for (int64_t i = 1; i <= 20; ++i) {
      Send(i);
    }
    harness_->source().End();
    RunUntil([&] { return harness_->has_ended(); });
    EXPECT_EQ(outcomes().size(), 20u);
    for (const auto& [number, outcome] : outcomes()) {
      EXPECT_TRUE(outcome.is_ack) << outcome.reason;
    }
    EXPECT_EQ(handler_.num_items, 210);
    EXPECT_EQ(handler_.num_ended, 1);  // in order, before the connection was closed
    EXPECT_EQ(handler_.tokens, std::vector<std::string>{"secret"});
    ASSERT_EQ(handler_.paths.size(), 1u);
    EXPECT_EQ(handler_.paths[0],
              "/opentelemetry.proto.experimental.arrow.v1.ArrowLogsService/ArrowLogs");
    Stop();
  }
}

TEST_F(GrpcStreamsTest, ARefusedCallIsANackForNowWithItsReason) {
  handler_.refusal = runtime::grpc::MakeStatus(Code::kUnauthenticated, "who are you");
  StartServer();
  Send(3);
  RunUntil([&] { return outcomes().size() == 1; });
  EXPECT_FALSE(outcomes()[0].is_ack);
  EXPECT_FALSE(outcomes()[0].is_permanent);
  EXPECT_THAT(outcomes()[0].reason, HasSubstr("who are you"));
}

TEST_F(GrpcStreamsTest, AServerThatIsNotThereIsANackForNow) {
  Start("", 1);
  Send(3);
  RunUntil([&] { return outcomes().size() == 1; });
  EXPECT_FALSE(outcomes()[0].is_permanent);
  EXPECT_FALSE(outcomes()[0].reason.empty());
}

TEST_F(GrpcStreamsTest, AServerThatGoesAwayFailsWhatItHasNotAnswered) {
  StartServer();
  Send(3);
  RunUntil([&] { return outcomes().size() == 1; });
  EXPECT_TRUE(outcomes()[0].is_ack);
  server_.reset();
  Send(3);
  RunUntil([&] { return outcomes().size() == 2; });
  EXPECT_FALSE(outcomes()[1].is_ack);
  EXPECT_FALSE(outcomes()[1].is_permanent);
}

}  // namespace
}  // namespace df::nodes::exporters::otap
