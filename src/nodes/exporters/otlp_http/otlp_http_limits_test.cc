// Batches to HTTP servers that take bodies of so many bytes.
#include <algorithm>

#include <arrow/compute/initialize.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/compression.h"
#include "base/units.h"
#include "engine/node_registry.h"
#include "otlp/compare/item_counts.h"
#include "otlp/decode.h"
#include "otlp/encode.h"
#include "runtime/http1/server.h"
#include "testing/pipeline_harness.h"
#include "testing/tcp_peer.h"

namespace df::nodes::exporters::otlp_http {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using otap::Signal;
using runtime::http1::Find;
using runtime::http1::Request;
using runtime::http1::Response;
using ::testing::HasSubstr;

/// Keeps the requests of logs that it takes, as protobuf.
class Collector final : public runtime::http1::RequestHandler {
 public:
  std::optional<Response> Admit(const Request&) override { return std::nullopt; }

  runtime::Task<Response> Respond(Request request) override {
    std::string body = std::move(request.body);
    if (const auto coding = ParseCompression(Find(request.headers, "Content-Encoding"));
        coding.has_value() && *coding != Compression::kNone) {
      body = Decompress(*coding, body, 64_MiB).ValueOrDie();
    }
    Response response;
    if (static_cast<int64_t>(body.size()) > max_inflated) {
      ++num_refused;
      response.status = status;
      response.body = text;
      co_return response;
    }
    if (Find(request.headers, "Content-Type") == "application/json") {
      const auto batch = otlp::Decoder().DecodeJson(Signal::kLogs, body).ValueOrDie().front();
      body = otlp::EncodeRequest(*batch).ValueOrDie();
    }
    requests.push_back(std::move(body));
    co_return response;
  }

  Response Refuse(int refused_with, std::string_view, const Request&) override {
    ++num_refused;
    Response response;
    response.status = refused_with;
    return response;
  }

  int64_t max_inflated = INT64_MAX;
  int status = 413;
  std::string text;
  int num_refused = 0;
  std::vector<std::string> requests;
};

otap::BatchPtr LargeLogs(int64_t num_rows, size_t body_bytes) {
  std::string json = "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[";
  for (int64_t i = 0; i < num_rows; ++i) {
    json += fmt::format("{}{{\"timeUnixNano\":\"{}\",\"body\":{{\"stringValue\":\"{}\"}}}}",
                        i == 0 ? "" : ",", i, std::string(body_bytes, 'x'));
  }
  json += "]}]}]}";
  return otlp::Decoder().DecodeJson(Signal::kLogs, json).ValueOrDie().front();
}

class OtlpHttpLimits : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }

  /// The server refuses larger bodies while they come, and closes the connection.
  void Listen(int64_t max_body_bytes) {
    runtime::http1::ServerSettings settings;
    settings.address = "127.0.0.1:0";
    settings.max_body_bytes = max_body_bytes;
    server_ = runtime::http1::Server::Listen(&loop_, settings, &collector_).ValueOrDie();
  }

  void Start(uint16_t port, const std::string& keys) {
    const std::string document = fmt::format(R"({{nodes: {{
        source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
                 out_ports: {{out: {{destinations: [http]}}}}}},
        http: {{kind: exporter, plugin_urn: "urn:otel:exporter:otlp_http",
               config: {{endpoint: 'http://127.0.0.1:{}', timeout: 1h{}{}}}}}}}}})",
                                             port, keys.empty() ? "" : ", ", keys);
    harness_ = std::make_unique<testing::PipelineHarness>(document, std::vector{&kDescriptor});
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
  }

  bool Until(const std::function<bool()>& done) {
    return testing::StepUntil(
        [this] {
          loop_.RunUntilIdle();
          harness_->RunUntilIdle();
        },
        done);
  }
  void SendAll(const std::vector<otap::BatchPtr>& batches) {
    for (const otap::BatchPtr& batch : batches) {
      harness_->source().Send(batch);
    }
    harness_->source().End();
    ASSERT_TRUE(Until([&] { return harness_->has_ended(); }));
  }

  void ExpectAllDelivered(const std::vector<otap::BatchPtr>& batches) {
    otlp::ItemCounts counts(Signal::kLogs, {});
    for (const otap::BatchPtr& batch : batches) {
      ASSERT_TRUE(counts.AddExpected(otlp::EncodeRequest(*batch).ValueOrDie()).ok());
    }
    for (const std::string& request : collector_.requests) {
      ASSERT_TRUE(counts.AddActual(request).ok());
    }
    EXPECT_TRUE(counts.Compare().is_equal()) << counts.Compare().Line(Signal::kLogs);
    EXPECT_EQ(harness_->metric("source", "acked"), static_cast<int64_t>(batches.size()));
    EXPECT_EQ(harness_->TakeResult().reports.back().num_problems, 0);
  }

  testing::SimulatedClock clock_;
  runtime::EventLoop loop_{clock_};
  Collector collector_;
  std::unique_ptr<runtime::http1::Server> server_;
  std::unique_ptr<testing::PipelineHarness> harness_;
};

TEST_F(OtlpHttpLimits, EveryItemArrivesAtServersOfAnyLimit) {
  const std::vector<otap::BatchPtr> batches(2, LargeLogs(6'500, 1'000));
  for (const std::string keys : {"", "encoding: json", "compression: gzip"}) {
    for (const int64_t limit : {4_MiB, 1_MiB, 64_KiB}) {
      SCOPED_TRACE(fmt::format("{} {}", keys, limit));
      collector_.requests.clear();
      collector_.num_refused = 0;
      collector_.max_inflated = limit;
      Listen(limit);
      Start(server_->port(), "max_in_flight: 1, " + (keys.empty() ? "encoding: proto" : keys));
      SendAll(batches);
      if (limit == 4_MiB) {
        EXPECT_EQ(collector_.num_refused, 0);
      }
      // By halves: from 3.5 MiB to the limit, once for both batches.
      EXPECT_LE(collector_.num_refused, 7);
      ExpectAllDelivered(batches);
    }
  }
}

TEST_F(OtlpHttpLimits, ARefusalInWordsIsOneOfSize) {
  const std::vector<otap::BatchPtr> batches = {LargeLogs(300, 1'000)};
  collector_.max_inflated = 100'000;
  collector_.status = 400;
  collector_.text = "http: request body too large";
  Listen(64_MiB);
  Start(server_->port(), "");
  SendAll(batches);
  EXPECT_EQ(harness_->metric("http", "df.exporter.otlp_http.requests.cut"), 2);
  ExpectAllDelivered(batches);
}

TEST_F(OtlpHttpLimits, AnyOtherRefusalIsNot) {
  collector_.max_inflated = 100'000;
  collector_.status = 400;
  collector_.text = "malformed";
  Listen(64_MiB);
  Start(server_->port(), "");
  SendAll({LargeLogs(300, 1'000)});
  EXPECT_EQ(collector_.num_refused, 1);
  EXPECT_TRUE(harness_->source().outcomes[0].is_permanent);
}

TEST_F(OtlpHttpLimits, ARecordThatIsTooLargeIsNamed) {
  collector_.max_inflated = 100'000;
  Listen(64_MiB);
  Start(server_->port(), "encoding: json");
  SendAll({LargeLogs(1, 200'000)});
  const engine::Outcome& outcome = harness_->source().outcomes[0];
  EXPECT_TRUE(outcome.is_permanent);
  EXPECT_THAT(outcome.reason, HasSubstr("log record of 1970-01-01T00:00:00.000000000Z of 200"));
  EXPECT_THAT(outcome.reason, HasSubstr("HTTP 413"));
}

TEST_F(OtlpHttpLimits, AConnectionThatIsClosedInTheMiddleOfALargeBodyIsTriedInParts) {
  testing::TcpAcceptor acceptor;
  Start(acceptor.port(), "");
  harness_->source().Send(LargeLogs(3'000, 1'000));
  std::vector<size_t> sizes;
  std::optional<testing::TcpPeer> peer;
  // Bodies over 1 MB are cut off after 64 KiB, others are answered.
  ASSERT_TRUE(Until([&] {
    if (!harness_->source().outcomes.empty()) {
      return true;
    }
    if (!peer.has_value()) {
      if (auto accepted = acceptor.Accept(); accepted.has_value()) {
        peer.emplace(*std::move(accepted));
      }
      return false;
    }
    peer->Poll();
    if (peer->is_closed()) {
      peer.reset();
      return false;
    }
    const std::string& received = peer->received();
    const size_t head = received.find("\r\n\r\n");
    if (head == std::string::npos) {
      return false;
    }
    const size_t at = received.find("Content-Length: ");
    const size_t length = std::stoul(received.substr(at + 16));
    if (length > 1'000'000) {
      if (received.size() > (64 << 10)) {
        sizes.push_back(length);
        peer.reset();
      }
    } else if (received.size() == head + 4 + length) {
      sizes.push_back(length);
      peer->received().clear();
      peer->Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
    return false;
  })) << ::testing::PrintToString(sizes);
  EXPECT_TRUE(harness_->source().outcomes[0].is_ack) << harness_->source().outcomes[0].reason;
  ASSERT_GE(sizes.size(), 6U);
  EXPECT_LE(sizes.size(), 8U) << ::testing::PrintToString(sizes);
  EXPECT_GT(sizes[1], 1'000'000U);
  EXPECT_TRUE(std::all_of(sizes.begin() + 2, sizes.end(), [](size_t size) {
    return size < 1'000'000U;  // it has learned
  }));
}

}  // namespace
}  // namespace df::nodes::exporters::otlp_http
