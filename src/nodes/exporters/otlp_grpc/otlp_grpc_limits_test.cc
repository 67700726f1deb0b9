// Batches to servers of gRPC that take messages of so many bytes.
#include <chrono>
#include <thread>

#include <arrow/compute/initialize.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/units.h"
#include "engine/node_registry.h"
#include "otlp/compare/item_counts.h"
#include "otlp/count_items.h"
#include "otlp/decode.h"
#include "otlp/encode.h"
#include "runtime/grpc/server.h"
#include "testing/pipeline_harness.h"
#include "testing/random_batch.h"

namespace df::nodes::exporters::otlp_grpc {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using otap::Signal;
using runtime::grpc::CallStatus;
using runtime::grpc::Code;
using std::chrono::seconds;
using ::testing::HasSubstr;

/// Takes requests and refuses those that are too large, in the words of one server or another.
class Collector final : public runtime::grpc::CallHandler {
 public:
  runtime::Task<CallStatus> OnCall(runtime::grpc::ServerCall& call) override {
    std::string request;
    if (!co_await call.Read(&request)) {
      ++num_refused;
      co_return call.status();
    }
    ++num_read;
    if (static_cast<int64_t>(request.size()) > max_bytes) {
      ++num_refused;
      CallStatus status = runtime::grpc::MakeStatus(
          code, fmt::format(fmt::runtime(words), request.size(), max_bytes));
      status.retry_delay = retry_delay;
      co_return status;
    }
    if (num_read == fails_at) {
      co_return runtime::grpc::MakeStatus(Code::kUnavailable, "later");
    }
    requests.push_back(std::move(request));
    co_await call.Write(std::string());
    co_return CallStatus();
  }

  int64_t max_bytes = INT64_MAX;
  Code code = Code::kResourceExhausted;
  std::string words = "grpc: received message larger than max ({} vs. {})";
  std::optional<std::chrono::nanoseconds> retry_delay;
  int fails_at = 0;
  int num_read = 0;
  int num_refused = 0;
  std::vector<std::string> requests;
};

/// A batch of about so many bytes of OTLP, of `num_rows` records.
otap::BatchPtr LargeLogs(int64_t num_rows, size_t body_bytes, int64_t large_row = -1,
                         size_t large_bytes = 0) {
  std::string json = "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[";
  for (int64_t i = 0; i < num_rows; ++i) {
    json += fmt::format("{}{{\"timeUnixNano\":\"{}\",\"body\":{{\"stringValue\":\"{}\"}}}}",
                        i == 0 ? "" : ",", i,
                        std::string(i == large_row ? large_bytes : body_bytes, 'x'));
  }
  json += "]}]}]}";
  return otlp::Decoder().DecodeJson(Signal::kLogs, json).ValueOrDie().front();
}

/// One metric of so many data points.
otap::BatchPtr OneMetric(int64_t num_points) {
  std::string json =
      "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"large\",\"gauge\":{"
      "\"dataPoints\":[";
  for (int64_t i = 0; i < num_points; ++i) {
    json += fmt::format("{}{{\"timeUnixNano\":\"{}\",\"asInt\":\"{}\"}}", i == 0 ? "" : ",", i, i);
  }
  json += "]}}]}]}]}";
  return otlp::Decoder().DecodeJson(Signal::kMetrics, json).ValueOrDie().front();
}

class OtlpGrpcLimits : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }

  /// With `max_bytes` the server refuses as ours does.
  void Start(const std::string& keys = "", int64_t max_bytes = 64_MiB) {
    runtime::grpc::ServerSettings settings;
    settings.http2.address = "127.0.0.1:0";
    settings.max_message_bytes = max_bytes;
    server_ = runtime::grpc::Server::Listen(&server_loop_, settings, &collector_).ValueOrDie();
    const std::string document = fmt::format(R"({{nodes: {{
      source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
               out_ports: {{out: {{destinations: [sink]}}}}}},
      sink: {{kind: exporter, plugin_urn: "urn:otel:otlp:exporter",
             config: {{grpc_endpoint: 'http://127.0.0.1:{}', timeout: 1h{}{}}}}}}}}})",
                                             server_->port(), keys.empty() ? "" : ", ", keys);
    harness_ = std::make_unique<testing::PipelineHarness>(
        document, std::vector<const engine::NodeDescriptor*>{&kDescriptor});
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
  }

  void Send(const std::vector<otap::BatchPtr>& batches) {
    for (const otap::BatchPtr& batch : batches) {
      harness_->source().Send(batch);
    }
    harness_->source().End();
    const auto end = std::chrono::steady_clock::now() + seconds(60);
    while (!harness_->has_ended()) {
      harness_->RunUntilIdle();
      server_loop_.RunUntilIdle();
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "the exporter does not end";
      std::this_thread::yield();
    }
  }

  void ExpectAllDelivered(const std::vector<otap::BatchPtr>& batches) {
    const Signal signal = batches.front()->signal();
    otlp::ItemCounts counts(signal, {});
    for (const otap::BatchPtr& batch : batches) {
      const otap::EncodedRequest* request = batch->encoded();
      ASSERT_TRUE(counts
                      .AddExpected(request != nullptr ? request->bytes->ToString()
                                                      : otlp::EncodeRequest(*batch).ValueOrDie())
                      .ok());
    }
    for (const std::string& request : collector_.requests) {
      ASSERT_TRUE(counts.AddActual(request).ok());
    }
    EXPECT_TRUE(counts.Compare().is_equal()) << counts.Compare().Line(signal);
  }

  engine::NodeReport SinkReport() { return harness_->TakeResult().reports.back(); }
  std::map<uint64_t, engine::Outcome>& outcomes() { return harness_->source().outcomes; }

  testing::SimulatedClock server_clock_;
  runtime::EventLoop server_loop_{server_clock_};
  Collector collector_;
  std::unique_ptr<runtime::grpc::Server> server_;
  std::unique_ptr<testing::PipelineHarness> harness_;
};

TEST_F(OtlpGrpcLimits, EveryItemArrivesAtServersOfAnyLimit) {
  const std::vector<otap::BatchPtr> batches(3, LargeLogs(6'500, 1'000));
  for (const auto& [limit, most_refused] : {std::pair(4_MiB, 0), {1_MiB, 3}, {64_KiB, 3}}) {
    SCOPED_TRACE(limit);
    collector_.requests.clear();
    collector_.num_refused = 0;
    Start("max_in_flight: 3, compression: zstd", limit);
    Send(batches);
    ExpectAllDelivered(batches);
    EXPECT_LE(collector_.num_refused, most_refused);  // one for each batch that was under way
    EXPECT_EQ(harness_->metric("source", "acked"), 3);
    EXPECT_EQ(SinkReport().num_problems, 0);
  }
}

TEST_F(OtlpGrpcLimits, OneMetricOfManyPointsIsSentInParts) {
  Start("", 1_MiB);
  Send({OneMetric(100'000)});
  ExpectAllDelivered({OneMetric(100'000)});
  EXPECT_EQ(harness_->metric("sink", "df.exporter.otlp_grpc.requests.cut"), 1);
  EXPECT_EQ(harness_->metric("source", "acked"), 1);
}

TEST_F(OtlpGrpcLimits, ARequestThatCameInIsCutToo) {
  auto bytes =
      arrow::Buffer::FromString(otlp::EncodeRequest(*LargeLogs(6'500, 1'000)).ValueOrDie());
  const auto batches = otlp::MakeRequestBatches(Signal::kLogs, bytes).ValueOrDie();
  Start("", 4_MiB);
  Send(batches);
  ExpectAllDelivered(batches);
  EXPECT_EQ(collector_.num_refused, 0);
  EXPECT_EQ(collector_.requests.size(), 2U);
}

TEST_F(OtlpGrpcLimits, TheWordsOfOtherServersAreUnderstood) {
  const std::vector<otap::BatchPtr> batches = {LargeLogs(300, 1'000)};
  for (const auto& [code, words] :
       {std::pair(Code::kResourceExhausted, "Received message larger than max"),
        {Code::kOutOfRange,
         "Error, message length too large: found {} bytes, the limit is: {} bytes"},
        {Code::kResourceExhausted, "gRPC message exceeds maximum size"},
        {Code::kInvalidArgument, "http: request body too large"}}) {
    SCOPED_TRACE(words);
    collector_.requests.clear();
    collector_.max_bytes = 64_KiB;
    collector_.code = code;
    collector_.words = words;
    Start();
    Send(batches);
    ExpectAllDelivered(batches);
    EXPECT_EQ(harness_->metric("source", "acked"), 1);
  }
}

TEST_F(OtlpGrpcLimits, AQuotaIsNotTakenForASize) {
  collector_.max_bytes = 64_KiB;
  collector_.words = "quota exceeded";
  Start();
  Send({LargeLogs(300, 1'000)});
  EXPECT_EQ(collector_.num_read, 1);
  EXPECT_TRUE(outcomes().begin()->second.is_permanent);
  EXPECT_EQ(harness_->metric("sink", "df.exporter.otlp_grpc.requests.cut"), 0);
}

TEST_F(OtlpGrpcLimits, AServerThatSaysWhenToComeAgainIsNotTakenForSmall) {
  collector_.max_bytes = 64_KiB;
  collector_.retry_delay = seconds(1);
  Start();
  Send({LargeLogs(300, 1'000)});
  EXPECT_EQ(collector_.num_read, 1);
  EXPECT_FALSE(outcomes().begin()->second.is_permanent);
}

TEST_F(OtlpGrpcLimits, OnlyTheRecordThatIsTooLargeIsGivenUpAndItIsNamed) {
  Start("", 4_MiB);
  Send({LargeLogs(1'000, 1'000, 500, 5'000'000)});
  int64_t num_items = 0;
  for (const std::string& request : collector_.requests) {
    num_items += otlp::CountItems(Signal::kLogs, request)->items;
  }
  EXPECT_EQ(num_items, 999);
  const engine::Outcome& outcome = outcomes().begin()->second;
  EXPECT_TRUE(outcome.is_ack);
  ASSERT_NE(outcome.partial, nullptr);
  EXPECT_EQ(outcome.partial->num_delivered, 999);
  EXPECT_EQ(outcome.partial->num_refused, 1);
  EXPECT_EQ(harness_->metric("sink", "df.exporter.otlp_grpc.items.too_large"), 1);
  const engine::NodeReport report = SinkReport();
  EXPECT_EQ(report.num_problems, 1);
  EXPECT_THAT(
      report.lines.back(),
      HasSubstr("refused as too large: log record of 1970-01-01T00:00:00.000000500Z, 50000"));
}

TEST_F(OtlpGrpcLimits, AServerThatRefusesEverythingEndsInBoundedWork) {
  collector_.max_bytes = 0;
  Start();
  Send({LargeLogs(2'000, 1'000)});
  EXPECT_LE(collector_.num_read, 13);
  EXPECT_TRUE(outcomes().begin()->second.is_permanent);
  EXPECT_EQ(harness_->metric("sink", "df.exporter.otlp_grpc.items.too_large"), 2'000);
}

TEST_F(OtlpGrpcLimits, ANackInTheMiddleCarriesWhatIsNotDelivered) {
  collector_.fails_at = 2;
  Start("max_request_bytes: 100KiB");
  const otap::BatchPtr batch = LargeLogs(300, 1'000);
  Send({batch});
  const engine::Outcome& outcome = outcomes().begin()->second;
  EXPECT_FALSE(outcome.is_ack);
  EXPECT_FALSE(outcome.is_permanent);
  ASSERT_NE(outcome.partial, nullptr);
  EXPECT_EQ(outcome.partial->whole, batch.get());
  ASSERT_NE(outcome.partial->rest, nullptr);
  collector_.requests.push_back(outcome.partial->rest->encoded()->bytes->ToString());
  ExpectAllDelivered({batch});
}

}  // namespace
}  // namespace df::nodes::exporters::otlp_grpc
