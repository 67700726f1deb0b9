#include "nodes/exporters/otlp_grpc/otlp_grpc_exporter.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nodes/exporters/otlp_grpc/call_answer.h"
#include "otlp/export_response.h"
#include "runtime/grpc/server.h"
#include "testing/pipeline_harness.h"
#include "testing/random_batch.h"

namespace df::nodes::exporters::otlp_grpc {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using runtime::grpc::CallStatus;
using runtime::grpc::Code;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Keeps requests and answers them as told.
class Collector final : public runtime::grpc::CallHandler {
 public:
  runtime::Task<CallStatus> OnCall(runtime::grpc::ServerCall& call) override {
    std::string request;
    if (!co_await call.Read(&request)) {
      co_return call.status();
    }
    paths.push_back(call.path());
    requests.push_back(request);
    metadata = call.metadata();
    ++num_waiting;
    most_waiting = std::max(most_waiting, num_waiting);
    while (is_corked && !call.is_cancelled()) {
      co_await call.changed().Wait();
    }
    --num_waiting;
    num_cancelled += call.is_cancelled() ? 1 : 0;
    CallStatus status;
    if (!statuses.empty()) {
      status = statuses.front();
      statuses.pop_front();
    }
    if (status.ok()) {
      co_await call.Write(response);
    }
    co_return status;
  }

  bool is_corked = false;
  std::deque<CallStatus> statuses;  ///< of the next calls; OK behind them
  std::string response;
  std::vector<std::string> paths;
  std::vector<std::string> requests;
  runtime::http2::Headers metadata;
  int num_waiting = 0;
  int most_waiting = 0;
  int num_cancelled = 0;
};

class OtlpGrpcExporterTest : public ::testing::Test {
 protected:
  void SetUp() override { StartServer("127.0.0.1:0"); }

  void StartServer(const std::string& address) {
    runtime::grpc::ServerSettings settings;
    settings.http2.address = address;
    auto server = runtime::grpc::Server::Listen(&server_loop_, settings, &collector_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  static std::string Document(const std::string& config) {
    return fmt::format(R"({{nodes: {{
      source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
               out_ports: {{out: {{destinations: [sink]}}}}}},
      sink: {{kind: exporter, plugin_urn: "urn:otel:otlp:exporter", config: {{{}}}}}}}}})",
                       config);
  }

  void Start(const std::string& keys = "") {
    const std::string config = fmt::format("grpc_endpoint: 'http://127.0.0.1:{}'{}{}",
                                           server_->port(), keys.empty() ? "" : ", ", keys);
    harness_ = std::make_unique<testing::PipelineHarness>(
        Document(config), std::vector<const engine::NodeDescriptor*>{&kDescriptor});
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
  }

  static std::string Problem(const std::string& config) {
    return testing::PipelineHarness(Document(config), {&kDescriptor}).status().message();
  }

  void RunUntil(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + seconds(20);
    while (true) {
      harness_->RunUntilIdle();
      server_loop_.RunUntilIdle();
      if (condition()) {
        return;
      }
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "what the test waits for does not come";
      std::this_thread::yield();
    }
  }
  void RunToEnd() {
    RunUntil([this] { return harness_->has_ended(); });
  }
  std::map<uint64_t, engine::Outcome>& outcomes() { return harness_->source().outcomes; }

  testing::SimulatedClock server_clock_;
  runtime::EventLoop server_loop_{server_clock_};
  Collector collector_;
  std::unique_ptr<runtime::grpc::Server> server_;
  std::unique_ptr<testing::PipelineHarness> harness_;
};

CallStatus Refusal(Code code, std::string message) {
  return runtime::grpc::MakeStatus(code, std::move(message));
}

TEST_F(OtlpGrpcExporterTest, EverySignalArrivesAsTheRequestThatItIs) {
  Start("compression: zstd, headers: {x-tenant: blue}, user_agent: mine");
  std::vector<otap::BatchPtr> batches;
  testing::RandomEngine random(7);
  for (const otap::Signal signal : otap::kAllSignals) {
    batches.push_back(testing::RandomBatch(signal, {}, random));
    harness_->source().Send(batches.back());
  }
  harness_->source().End();
  RunToEnd();
  ASSERT_EQ(collector_.requests.size(), 3U);
  for (const otap::BatchPtr& batch : batches) {
    const auto at =
        std::find(collector_.paths.begin(), collector_.paths.end(), PathOf(batch->signal()));
    ASSERT_NE(at, collector_.paths.end());
    EXPECT_EQ(collector_.requests[static_cast<size_t>(at - collector_.paths.begin())],
              *otlp::EncodeRequest(*batch));
  }
  EXPECT_EQ(*runtime::http2::Find(collector_.metadata, "x-tenant"), "blue");
  EXPECT_EQ(*runtime::http2::Find(collector_.metadata, "user-agent"), "mine df_engine");
  EXPECT_EQ(*runtime::http2::Find(collector_.metadata, "grpc-encoding"), "zstd");
  EXPECT_EQ(harness_->metric("source", "acked"), 3);
  EXPECT_EQ(harness_->metric("sink", "df.exporter.otlp_grpc.requests", {{"status", "OK"}}), 3);
}

TEST_F(OtlpGrpcExporterTest, ARequestThatCameInIsSentAsItCame) {
  Start();
  otap::EncodedRequest request;
  request.bytes = arrow::Buffer::FromString("not even OTLP");
  request.decode = [](otap::Signal, const arrow::Buffer&) -> arrow::Result<otap::BatchPtr> {
    return Status::Invalid("nobody decodes this");
  };
  harness_->source().Send(otap::MakeEncodedBatch(otap::Signal::kTraces, request, 1));
  harness_->source().End();
  RunToEnd();
  EXPECT_THAT(collector_.requests, ElementsAre("not even OTLP"));
  EXPECT_EQ(harness_->metric("source", "acked"), 1);
}

TEST_F(OtlpGrpcExporterTest, SendsAsManyAtATimeAsItMay) {
  Start("max_in_flight: 3, num_connections: 2");
  collector_.is_corked = true;
  for (int i = 0; i < 10; ++i) {
    harness_->source().Send(testing::SmallLogs(1));
  }
  harness_->source().End();
  RunUntil([this] { return collector_.num_waiting == 3; });
  EXPECT_EQ(harness_->metric("sink", "df.exporter.otlp_grpc.in_flight"), 3);
  EXPECT_EQ(server_->counts().connections, 2);
  collector_.is_corked = false;
  server_.reset();  // the calls under way break
  collector_.num_waiting = 0;
  RunToEnd();
  EXPECT_EQ(collector_.most_waiting, 3);
  EXPECT_EQ(outcomes().size(), 10U);
}

TEST_F(OtlpGrpcExporterTest, TemporaryAndPermanentRefusalsAreToldApart) {
  Start("max_in_flight: 1");
  collector_.statuses = {Refusal(Code::kUnavailable, "later"), CallStatus(),
                         Refusal(Code::kInvalidArgument, "never")};
  for (int i = 0; i < 3; ++i) {
    harness_->source().Send(testing::SmallLogs(1));
  }
  harness_->source().End();
  RunToEnd();
  std::vector<engine::Outcome> all;
  for (const auto& [id, outcome] : outcomes()) {
    all.push_back(outcome);
  }
  ASSERT_EQ(all.size(), 3U);
  EXPECT_FALSE(all[0].is_ack);
  EXPECT_FALSE(all[0].is_permanent);
  EXPECT_EQ(all[0].reason, "UNAVAILABLE: later");
  EXPECT_TRUE(all[1].is_ack);
  EXPECT_FALSE(all[2].is_ack);
  EXPECT_TRUE(all[2].is_permanent);
  const engine::InstanceResult result = harness_->TakeResult();
  EXPECT_EQ(result.reports.back().num_problems, 1);
  EXPECT_THAT(result.reports.back().lines[1],
              HasSubstr("2 batches failed, 1 of them permanently; the first: UNAVAILABLE: later"));
}

TEST_F(OtlpGrpcExporterTest, APartialSuccessIsAnAckThatCountsWhatWasRefused) {
  Start();
  otlp::PartialSuccess partial;
  partial.rejected_items = 7;
  partial.message = "too old";
  collector_.response =
      otlp::WriteExportResponse(otap::Signal::kLogs, otlp::Encoding::kProtobuf, partial);
  harness_->source().Send(testing::SmallLogs(10));
  harness_->source().End();
  RunToEnd();
  EXPECT_EQ(harness_->metric("source", "acked"), 1);
  EXPECT_EQ(harness_->metric("sink", "df.exporter.otlp_grpc.items.rejected"), 7);
  EXPECT_EQ(harness_->TakeResult().reports.back().num_problems, 7);
}

TEST_F(OtlpGrpcExporterTest, PausesForAsLongAsTheServerAsks) {
  Start("max_in_flight: 1");
  CallStatus busy = Refusal(Code::kResourceExhausted, "come again");
  busy.retry_delay = seconds(3);
  collector_.statuses = {busy};
  harness_->source().Send(testing::SmallLogs(1));
  harness_->source().Send(testing::SmallLogs(1));
  harness_->source().End();
  RunUntil([this] { return outcomes().size() == 1; });
  EXPECT_FALSE(outcomes().begin()->second.is_permanent);
  harness_->Advance(milliseconds(2'900));
  EXPECT_EQ(collector_.requests.size(), 1U);
  harness_->Advance(milliseconds(200));
  RunToEnd();
  EXPECT_EQ(collector_.requests.size(), 2U);
}

TEST_F(OtlpGrpcExporterTest, ACallThatTakesTooLongIsATemporaryRefusal) {
  Start("timeout: 2s");
  collector_.is_corked = true;
  harness_->source().Send(testing::SmallLogs(1));
  harness_->source().End();
  RunUntil([this] { return collector_.num_waiting == 1; });
  harness_->Advance(milliseconds(2'100));
  RunToEnd();
  EXPECT_THAT(outcomes().begin()->second.reason, HasSubstr("DEADLINE_EXCEEDED"));
  EXPECT_FALSE(outcomes().begin()->second.is_permanent);
  RunUntil([this] { return collector_.num_cancelled == 1; });
}

TEST_F(OtlpGrpcExporterTest, AServerThatIsNotThereIsATemporaryRefusal) {
  Start();
  server_.reset();
  harness_->source().Send(testing::SmallLogs(1));
  harness_->source().End();
  RunToEnd();
  EXPECT_THAT(outcomes().begin()->second.reason, HasSubstr("UNAVAILABLE: 127.0.0.1"));
  EXPECT_FALSE(outcomes().begin()->second.is_permanent);
}

TEST_F(OtlpGrpcExporterTest, ADrainCancelsInTimeWhatIsNotAnswered) {
  Start("timeout: 10min");
  collector_.is_corked = true;
  harness_->source().Send(testing::SmallLogs(1));
  RunUntil([this] { return collector_.num_waiting == 1; });
  harness_->RequestDrain();
  harness_->RunUntilIdle();
  EXPECT_FALSE(harness_->has_ended());
  harness_->Advance(milliseconds(9'500));  // of the 10 s that a drain has
  RunToEnd();
  const engine::InstanceResult result = harness_->TakeResult();
  EXPECT_FALSE(result.was_forced);
  EXPECT_THAT(outcomes().begin()->second.reason, HasSubstr("the server has not answered"));
  RunUntil([this] { return collector_.num_cancelled == 1; });
}

TEST_F(OtlpGrpcExporterTest, ADrainAlsoEndsTheWaitForATurn) {
  Start("timeout: 10min, max_in_flight: 1");
  collector_.is_corked = true;
  for (int i = 0; i < 3; ++i) {
    harness_->source().Send(testing::SmallLogs(1));
  }
  RunUntil([this] { return collector_.num_waiting == 1; });
  harness_->RequestDrain();
  harness_->RunUntilIdle();
  harness_->Advance(milliseconds(9'500));  // of the 10 s that a drain has
  RunToEnd();
  EXPECT_FALSE(harness_->TakeResult().was_forced);
  ASSERT_EQ(outcomes().size(), 3U);
  for (const auto& [number, outcome] : outcomes()) {
    EXPECT_THAT(outcome.reason, HasSubstr("the server has not answered"));
    EXPECT_FALSE(outcome.is_permanent);
  }
  EXPECT_EQ(collector_.requests.size(), 1U);
}

TEST_F(OtlpGrpcExporterTest, SaysWhatIsWrongWithItsKeys) {
  EXPECT_THAT(Problem(""), HasSubstr("key 'grpc_endpoint' is missing"));
  EXPECT_THAT(Problem("endpoint: 'http://a:b'"), HasSubstr("endpoint such as"));
  EXPECT_THAT(Problem("grpc_endpoint: 'a:1', endpoint: 'a:1'"), HasSubstr("one of the two"));
  EXPECT_THAT(Problem("grpc_endpoint: 'a:1', headers: {grpc-timeout: 1S}"),
              HasSubstr("'grpc-timeout'"));
  EXPECT_THAT(Problem("grpc_endpoint: 'http://a:1', tls: {}"), HasSubstr("expected one of https"));
  EXPECT_THAT(Problem("grpc_endpoint: 'https://a:1', tls: {ca_file: /none.pem}"),
              HasSubstr("/none.pem"));
  EXPECT_THAT(Problem("grpc_endpoint: 'a:1', compression: snappy"), HasSubstr("zstd"));
  EXPECT_EQ(Problem("endpoint: 'collector', compression_method: gzip"), "");
}

}  // namespace
}  // namespace df::nodes::exporters::otlp_grpc
