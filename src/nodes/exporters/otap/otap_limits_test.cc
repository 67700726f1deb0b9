// Batches over OTAP streams to servers of gRPC that take messages of so many bytes.
#include <chrono>
#include <thread>

#include <arrow/compute/initialize.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/units.h"
#include "engine/node_registry.h"
#include "otap_wire/consumer.h"
#include "otap_wire/message.h"
#include "otlp/compare/item_counts.h"
#include "otlp/decode.h"
#include "otlp/encode.h"
#include "runtime/grpc/server.h"
#include "testing/pipeline_harness.h"

namespace df::nodes::exporters::otap {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using df::otap::BatchPtr;
using df::otap::Signal;
using otap_wire::StatusCode;
using runtime::grpc::CallStatus;
using std::chrono::seconds;
using ::testing::HasSubstr;

/// Keeps the batches that it takes. A message that is too large ends its stream, as in every server
/// of gRPC, or is answered.
class Server final : public runtime::grpc::CallHandler {
 public:
  runtime::Task<CallStatus> OnCall(runtime::grpc::ServerCall& call) override {
    ++num_streams;
    call.SendHeaders();
    otap_wire::Consumer consumer(call.path().find("ArrowLogs/") != std::string::npos ||
                                         call.path().ends_with("ArrowLogs")
                                     ? Signal::kLogs
                                     : Signal::kMetrics);
    std::string message;
    while (co_await call.Read(&message)) {
      const int64_t batch_id = otap_wire::ReadBatchArrowRecords(message)->batch_id;
      otap_wire::BatchStatus status{batch_id, StatusCode::kOk, ""};
      const auto batch = consumer.Consume(message);
      if (!batch.ok()) {
        status = {batch_id, StatusCode::kInvalidArgument, batch.status().message()};
      } else if (static_cast<int64_t>(message.size()) > max_answered) {
        status = {batch_id, StatusCode::kResourceExhausted,
                  fmt::format("received message larger than max ({} vs. {})", message.size(),
                              max_answered)};
      } else if (++num_taken == fails_at) {
        status = {batch_id, StatusCode::kUnavailable, "later"};
      } else {
        batches.push_back(*batch);
      }
      num_refused += status.code == StatusCode::kOk ? 0 : 1;
      co_await call.Write(otap_wire::WriteBatchStatus(status));
    }
    co_return call.status();
  }

  int64_t max_answered = INT64_MAX;
  int fails_at = 0;
  int num_taken = 0;
  int num_refused = 0;
  int num_streams = 0;
  std::vector<BatchPtr> batches;
};

/// Log records with bodies that do not repeat.
BatchPtr LargeLogs(int64_t num_rows, size_t body_bytes, int64_t large_row = -1) {
  std::string json = "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[";
  for (int64_t i = 0; i < num_rows; ++i) {
    json += fmt::format("{}{{\"timeUnixNano\":\"{}\",\"body\":{{\"stringValue\":\"{} {}\"}}}}",
                        i == 0 ? "" : ",", i, i,
                        std::string(i == large_row ? 5'000'000 : body_bytes, 'x'));
  }
  json += "]}]}]}";
  return otlp::Decoder().DecodeJson(Signal::kLogs, json).ValueOrDie().front();
}

/// One metric of so many data points.
BatchPtr OneMetric(int64_t num_points) {
  std::string json =
      "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"large\",\"gauge\":{"
      "\"dataPoints\":[";
  for (int64_t i = 0; i < num_points; ++i) {
    json += fmt::format("{}{{\"timeUnixNano\":\"{}\",\"asInt\":\"{}\"}}", i == 0 ? "" : ",", i, i);
  }
  json += "]}}]}]}]}";
  return otlp::Decoder().DecodeJson(Signal::kMetrics, json).ValueOrDie().front();
}

class OtapLimits : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }
  void TearDown() override {
    if (harness_ != nullptr) {
      harness_->Destroy();
    }
  }

  void Start(int64_t max_bytes, const std::string& keys = "") {
    runtime::grpc::ServerSettings settings;
    settings.http2.address = "127.0.0.1:0";
    settings.max_message_bytes = max_bytes;
    grpc_ = runtime::grpc::Server::Listen(&server_loop_, settings, &server_).ValueOrDie();
    harness_ = std::make_unique<testing::PipelineHarness>(
        fmt::format(R"({{nodes: {{
              source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
                       out_ports: {{out: {{destinations: [sink]}}}}}},
              sink: {{kind: exporter, plugin_urn: "urn:otel:otap:exporter",
                     config: {{grpc_endpoint: "http://127.0.0.1:{}", timeout: 1h,
                              arrow: {{payload_compression: none}}{}{}}}}}}}}})",
                    grpc_->port(), keys.empty() ? "" : ", ", keys),
        std::vector<const engine::NodeDescriptor*>{&kDescriptor});
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
  }

  void Send(const std::vector<BatchPtr>& batches) {
    for (const BatchPtr& batch : batches) {
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

  void ExpectAllDelivered(const std::vector<BatchPtr>& batches) {
    const Signal signal = batches.front()->signal();
    otlp::ItemCounts counts(signal, {});
    for (const BatchPtr& batch : batches) {
      ASSERT_TRUE(counts.AddExpected(otlp::EncodeRequest(*batch).ValueOrDie()).ok());
    }
    for (const BatchPtr& batch : server_.batches) {
      ASSERT_TRUE(counts.AddActual(otlp::EncodeRequest(*batch).ValueOrDie()).ok());
    }
    EXPECT_TRUE(counts.Compare().is_equal()) << counts.Compare().Line(signal);
  }
  std::map<uint64_t, engine::Outcome>& outcomes() { return harness_->source().outcomes; }

  runtime::EventLoop server_loop_;
  Server server_;
  std::unique_ptr<runtime::grpc::Server> grpc_;
  std::unique_ptr<testing::PipelineHarness> harness_;
};

TEST_F(OtapLimits, EveryItemArrivesAtServersOfAnyLimit) {
  const std::vector<BatchPtr> batches(4, LargeLogs(6'500, 1'000));
  for (const auto& [limit, num_streams] : {std::pair(4_MiB, 1), {1_MiB, 2}, {64_KiB, 2}}) {
    SCOPED_TRACE(limit);
    server_.batches.clear();
    server_.num_streams = 0;
    Start(limit);
    Send(batches);
    ExpectAllDelivered(batches);
    EXPECT_EQ(server_.num_streams, num_streams);  // the limit is learned once
    EXPECT_EQ(harness_->metric("source", "acked"), 4);
    // Those that were under way when the first was refused.
    EXPECT_LE(harness_->metric("sink", "df.exporter.otap.requests.cut"), 8 * (num_streams - 1));
    harness_->Destroy();
  }
}

TEST_F(OtapLimits, OneMetricOfManyPointsIsSentInParts) {
  Start(1_MiB);
  const std::vector<BatchPtr> batches = {OneMetric(150'000)};
  Send(batches);
  ExpectAllDelivered(batches);
  EXPECT_GT(server_.batches.size(), 2U);
  EXPECT_EQ(harness_->metric("source", "acked"), 1);
}

TEST_F(OtapLimits, AnAnswerThatABatchIsTooLargeIsUnderstood) {
  server_.max_answered = 100'000;
  Start(64_MiB);
  const std::vector<BatchPtr> batches = {LargeLogs(300, 1'000), LargeLogs(300, 1'000)};
  Send(batches);
  ExpectAllDelivered(batches);
  EXPECT_EQ(server_.num_streams, 1);
  EXPECT_EQ(harness_->metric("source", "acked"), 2);
}

TEST_F(OtapLimits, OnlyTheRecordThatIsTooLargeIsGivenUpAndItIsNamed) {
  Start(4_MiB);
  Send({LargeLogs(1'000, 1'000, 500)});
  int64_t num_items = 0;
  for (const BatchPtr& batch : server_.batches) {
    num_items += batch->num_items();
  }
  EXPECT_EQ(num_items, 999);
  const engine::Outcome& outcome = outcomes().begin()->second;
  EXPECT_TRUE(outcome.is_ack);
  ASSERT_NE(outcome.partial, nullptr);
  EXPECT_EQ(outcome.partial->num_refused, 1);
  EXPECT_EQ(harness_->metric("sink", "df.exporter.otap.items.too_large"), 1);
  const engine::NodeReport report = harness_->TakeResult().reports.back();
  EXPECT_EQ(report.num_problems, 1);
  EXPECT_THAT(report.lines.back(), HasSubstr("log record of 1970-01-01T00:00:00.000000500Z"));
}

TEST_F(OtapLimits, AServerThatRefusesEverythingEndsInBoundedWork) {
  server_.max_answered = 0;
  Start(64_MiB);
  Send({LargeLogs(1'000, 1'000)});
  EXPECT_LE(server_.num_refused, 14);
  EXPECT_TRUE(outcomes().begin()->second.is_permanent);
  EXPECT_EQ(harness_->metric("sink", "df.exporter.otap.items.too_large"), 1'000);
}

TEST_F(OtapLimits, ANackInTheMiddleCarriesWhatIsNotDelivered) {
  server_.fails_at = 2;
  Start(64_MiB, "max_request_bytes: 100KiB");
  const BatchPtr batch = LargeLogs(300, 1'000);
  Send({batch});
  const engine::Outcome& outcome = outcomes().begin()->second;
  EXPECT_FALSE(outcome.is_permanent);
  ASSERT_NE(outcome.partial, nullptr);
  EXPECT_EQ(outcome.partial->whole, batch.get());
  ASSERT_NE(outcome.partial->rest, nullptr);
  server_.batches.push_back(outcome.partial->rest);
  ExpectAllDelivered({batch});
}

}  // namespace
}  // namespace df::nodes::exporters::otap
