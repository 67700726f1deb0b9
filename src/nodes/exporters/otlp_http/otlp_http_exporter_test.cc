#include "nodes/exporters/otlp_http/otlp_http_exporter.h"

#include <deque>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otlp/count_items.h"
#include "otlp/decode.h"
#include "runtime/http1/server.h"
#include "testing/pipeline_harness.h"
#include "testing/random_batch.h"
#include "testing/tcp_peer.h"
#include "testing/tls_identity.h"

namespace df::nodes::exporters::otlp_http {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using otap::Signal;
using runtime::http1::Find;
using runtime::http1::Request;
using runtime::http1::Response;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// A server that keeps what it is sent, and answers as it is told.
class Collector final : public runtime::http1::RequestHandler {
 public:
  explicit Collector(runtime::EventLoop* loop) : changed_(loop) {}

  std::optional<Response> Admit(const Request&) override { return std::nullopt; }
  runtime::Task<Response> Respond(Request request) override {
    requests.push_back(std::move(request));
    ++num_waiting;
    while (holds) {
      co_await changed_.Wait();
    }
    --num_waiting;
    Response response;
    if (!next_responses.empty()) {
      response = std::move(next_responses.front());
      next_responses.pop_front();
    }
    co_return response;
  }
  Response Refuse(int status, std::string_view, const Request&) override {
    Response response;
    response.status = status;
    return response;
  }

  void LetGo() {
    holds = false;
    changed_.NotifyAll();
  }

  std::vector<Request> requests;
  std::deque<Response> next_responses;
  bool holds = false;
  int num_waiting = 0;

 private:
  runtime::Condition changed_;
};

std::string Document(const std::string& config) {
  return fmt::format(R"({{nodes: {{
      source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
               out_ports: {{out: {{destinations: [http]}}}}}},
      http: {{kind: exporter, plugin_urn: "urn:otel:exporter:otlp_http", config: {{{}}}}}}}}})",
                     config);
}

class OtlpHttpExporterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // The collector has a loop of its own: that of the pipeline is not there yet.
    Listen(nullptr);
  }

  void Listen(std::shared_ptr<const runtime::TlsContext> tls) {
    runtime::http1::ServerSettings settings;
    settings.address = "127.0.0.1:0";
    settings.tls = std::move(tls);
    server_ = runtime::http1::Server::Listen(&loop_, settings, &collector_).ValueOrDie();
  }

  std::string Url(std::string_view scheme = "http") const {
    return fmt::format("{}://127.0.0.1:{}", scheme, server_->port());
  }

  void Start(const std::string& config) {
    harness_ =
        std::make_unique<testing::PipelineHarness>(Document(config), std::vector{&kDescriptor});
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->RunUntilIdle();
  }
  void StartPlain(const std::string& more = "") {
    Start(fmt::format("endpoint: '{}'{}{}", Url(), more.empty() ? "" : ", ", more));
  }

  bool Until(const std::function<bool()>& done) {
    return testing::StepUntil(
        [this] {
          loop_.RunUntilIdle();
          harness_->RunUntilIdle();
        },
        done);
  }

  /// Sends a batch and returns its outcome.
  engine::Outcome Deliver(const otap::BatchPtr& batch) {
    const int64_t number = harness_->source().num_sent;
    harness_->source().Send(batch);
    EXPECT_TRUE(Until(
        [&] { return harness_->source().outcomes.count(static_cast<uint64_t>(number)) > 0; }));
    return harness_->source().outcomes[static_cast<uint64_t>(number)];
  }

  static otap::BatchPtr Batch(Signal signal, int seed = 1) {
    testing::RandomEngine rng(static_cast<uint64_t>(seed));
    return testing::RandomBatch(signal, {}, rng);
  }

  void Answer(int status, runtime::http1::Headers headers = {}, std::string body = "") {
    Response response;
    response.status = status;
    response.headers = std::move(headers);
    response.body = std::move(body);
    collector_.next_responses.push_back(std::move(response));
  }

  static std::string Problem(const std::string& config) {
    return testing::PipelineHarness(Document(config), {&kDescriptor}).status().message();
  }

  testing::SimulatedClock clock_;
  runtime::EventLoop loop_{clock_};
  Collector collector_{&loop_};
  std::unique_ptr<runtime::http1::Server> server_;
  std::unique_ptr<testing::PipelineHarness> harness_;
};

TEST_F(OtlpHttpExporterTest, PostsEachSignalToItsPath) {
  StartPlain("headers: {X-Tenant: blue}");
  for (const Signal signal : otap::kAllSignals) {
    const otap::BatchPtr batch = Batch(signal);
    EXPECT_TRUE(Deliver(batch).is_ack);
    const Request& request = collector_.requests.back();
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.target, fmt::format("/v1/{}", otap::Name(signal)));
    EXPECT_EQ(Find(request.headers, "Content-Type"), "application/x-protobuf");
    EXPECT_EQ(Find(request.headers, "X-Tenant"), "blue");
    EXPECT_EQ(Find(request.headers, "User-Agent"), "df_engine");
    EXPECT_EQ(request.body, otlp::EncodeRequest(*batch).ValueOrDie());
  }
  EXPECT_EQ(server_->counts().connections, 1);
  EXPECT_EQ(harness_->metric("http", "df.exporter.otlp_http.requests", {{"status", "200"}}), 3);
}

TEST_F(OtlpHttpExporterTest, PostsWhereEachSignalWantsIt) {
  Start(
      fmt::format("logs_endpoint: '{0}/in?key=1', traces_endpoint: '{0}/', "
                  "metrics_endpoint: '{0}'",
                  Url()));
  for (const Signal signal : otap::kAllSignals) {
    EXPECT_TRUE(Deliver(Batch(signal)).is_ack);
  }
  ASSERT_THAT(collector_.requests, SizeIs(3));
  EXPECT_EQ(collector_.requests[0].target, "/in?key=1");
  EXPECT_EQ(collector_.requests[1].target, "/");
  EXPECT_EQ(collector_.requests[2].target, "/");
}

TEST_F(OtlpHttpExporterTest, CompressesWhatItSends) {
  for (const Compression compression :
       {Compression::kGzip, Compression::kZstd, Compression::kDeflate}) {
    StartPlain(fmt::format("compression: {}", Name(compression)));
    const otap::BatchPtr batch = Batch(Signal::kLogs);
    EXPECT_TRUE(Deliver(batch).is_ack);
    const Request& request = collector_.requests.back();
    EXPECT_EQ(Find(request.headers, "Content-Encoding"), Name(compression));
    EXPECT_EQ(Decompress(compression, request.body, 1 << 20).ValueOrDie(),
              otlp::EncodeRequest(*batch).ValueOrDie());
  }
}

TEST_F(OtlpHttpExporterTest, WritesJson) {
  StartPlain("encoding: json");
  const otap::BatchPtr batch = Batch(Signal::kMetrics);
  EXPECT_TRUE(Deliver(batch).is_ack);
  EXPECT_EQ(Find(collector_.requests[0].headers, "Content-Type"), "application/json");
  EXPECT_EQ(collector_.requests[0].body, otlp::EncodeJson(*batch).ValueOrDie());
  // A batch that is still a request has its tables made for it.
  const std::string request = otlp::EncodeRequest(*batch).ValueOrDie();
  const auto encoded =
      otlp::MakeRequestBatches(Signal::kMetrics, arrow::Buffer::FromString(request)).ValueOrDie();
  EXPECT_TRUE(Deliver(encoded.at(0)).is_ack);
  const auto decoded = otlp::DecodeRequest(Signal::kMetrics, request).ValueOrDie();
  EXPECT_EQ(collector_.requests[1].body, otlp::EncodeJson(*decoded.at(0)).ValueOrDie());
}

TEST_F(OtlpHttpExporterTest, PassesOnARequestAsItCame) {
  StartPlain();
  std::string request = otlp::EncodeRequest(*Batch(Signal::kTraces)).ValueOrDie();
  request += std::string("\xF8\x07\x01", 3);  // an unknown field: decoding would lose it
  const auto batches =
      otlp::MakeRequestBatches(Signal::kTraces, arrow::Buffer::FromString(request)).ValueOrDie();
  EXPECT_TRUE(Deliver(batches.at(0)).is_ack);
  EXPECT_EQ(collector_.requests[0].body, request);
}

TEST_F(OtlpHttpExporterTest, NacksForNowOrForGoodAsTheServerSays) {
  StartPlain();
  Answer(503, {{"Content-Type", "application/json"}}, R"({"message":"wait"})");
  const engine::Outcome later = Deliver(Batch(Signal::kLogs));
  EXPECT_FALSE(later.is_ack);
  EXPECT_FALSE(later.is_permanent);
  EXPECT_EQ(later.reason, "HTTP 503: wait");
  Answer(400);
  EXPECT_TRUE(Deliver(Batch(Signal::kLogs)).is_permanent);
  EXPECT_TRUE(Deliver(Batch(Signal::kLogs)).is_ack);
  harness_->source().End();
  ASSERT_TRUE(Until([&] { return harness_->has_ended(); }));
  const engine::NodeReport report = harness_->TakeResult().reports.at(1);
  EXPECT_THAT(report.lines, ElementsAre("delivered 1 requests",
                                        "2 batches failed, 1 of them permanently; the first: HTTP "
                                        "503: wait"));
  EXPECT_EQ(report.num_problems, 1);
}

TEST_F(OtlpHttpExporterTest, AcksAPartialSuccessAndCountsWhatWasRefused) {
  StartPlain();
  Answer(200, {{"Content-Type", "application/x-protobuf"}},
         otlp::WriteExportResponse(Signal::kLogs, otlp::Encoding::kProtobuf, {3, "too old"}));
  EXPECT_TRUE(Deliver(Batch(Signal::kLogs)).is_ack);
  EXPECT_EQ(harness_->metric("http", "df.exporter.otlp_http.items.rejected"), 3);
}

TEST_F(OtlpHttpExporterTest, LeavesAServerAloneForAsLongAsItAsks) {
  StartPlain();
  Answer(429, {{"Retry-After", "20"}});
  EXPECT_FALSE(Deliver(Batch(Signal::kLogs)).is_ack);
  harness_->source().Send(Batch(Signal::kLogs));
  harness_->Advance(seconds(19));
  for (int i = 0; i < 20; ++i) {
    loop_.RunUntilIdle();
    harness_->RunUntilIdle();
  }
  EXPECT_THAT(collector_.requests, SizeIs(1));
  harness_->Advance(seconds(2));
  EXPECT_TRUE(Until([&] { return harness_->source().num_outcomes == 2; }));
  EXPECT_THAT(collector_.requests, SizeIs(2));
}

TEST_F(OtlpHttpExporterTest, SendsSeveralAtATimeButNotMore) {
  StartPlain("max_in_flight: 3");
  collector_.holds = true;
  for (int i = 0; i < 5; ++i) {
    harness_->source().Send(Batch(Signal::kLogs, i));
  }
  ASSERT_TRUE(Until([&] { return collector_.num_waiting == 3; }));
  for (int i = 0; i < 20; ++i) {
    loop_.RunUntilIdle();
    harness_->RunUntilIdle();
  }
  EXPECT_THAT(collector_.requests, SizeIs(3));
  EXPECT_EQ(harness_->metric("http", "df.exporter.otlp_http.in_flight"), 3);
  collector_.LetGo();
  EXPECT_TRUE(Until([&] { return harness_->source().num_outcomes == 5; }));
}

TEST_F(OtlpHttpExporterTest, NacksForNowWhereNobodyAnswers) {
  uint16_t free_port = 0;
  {
    free_port = testing::TcpAcceptor().port();
  }
  Start(fmt::format("endpoint: 'http://127.0.0.1:{}'", free_port));
  const engine::Outcome refused = Deliver(Batch(Signal::kLogs));
  EXPECT_FALSE(refused.is_ack);
  EXPECT_FALSE(refused.is_permanent);
  EXPECT_THAT(refused.reason, HasSubstr("cannot connect"));
  StartPlain("timeout: 5s");
  collector_.holds = true;
  harness_->source().Send(Batch(Signal::kLogs));
  ASSERT_TRUE(Until([&] { return collector_.num_waiting == 1; }));
  harness_->Advance(seconds(6));
  EXPECT_TRUE(Until([&] { return harness_->source().num_outcomes == 1; }));
  EXPECT_FALSE(harness_->source().outcomes[0].is_permanent);
}

TEST_F(OtlpHttpExporterTest, WaitsForAnswersAtTheEndAsLongAsADrainLetsIt) {
  StartPlain("timeout: 1h");
  collector_.holds = true;
  harness_->source().Send(Batch(Signal::kLogs));
  harness_->source().End();
  ASSERT_TRUE(Until([&] { return collector_.num_waiting == 1; }));
  EXPECT_FALSE(harness_->has_ended());
  harness_->RequestDrain();
  harness_->RunUntilIdle();
  EXPECT_FALSE(harness_->has_ended());
  harness_->Advance(seconds(9));  // of the 10 that a drain has
  EXPECT_TRUE(Until([&] { return harness_->has_ended(); }));
  EXPECT_FALSE(harness_->source().outcomes[0].is_ack);
  EXPECT_FALSE(harness_->source().outcomes[0].is_permanent);
  EXPECT_FALSE(harness_->TakeResult().was_forced);
}

TEST_F(OtlpHttpExporterTest, ADrainAlsoEndsTheWaitForATurn) {
  StartPlain("timeout: 1h, max_in_flight: 1");
  collector_.holds = true;
  for (int i = 0; i < 3; ++i) {
    harness_->source().Send(Batch(Signal::kLogs));
  }
  ASSERT_TRUE(Until([&] { return collector_.num_waiting == 1; }));
  harness_->RequestDrain();
  harness_->RunUntilIdle();
  harness_->Advance(std::chrono::milliseconds(9500));  // of the 10 s that a drain has
  EXPECT_TRUE(Until([&] { return harness_->has_ended(); }));
  EXPECT_FALSE(harness_->TakeResult().was_forced);
  ASSERT_EQ(harness_->source().outcomes.size(), 3U);
  for (const auto& [number, outcome] : harness_->source().outcomes) {
    EXPECT_THAT(outcome.reason, HasSubstr("the server has not answered"));
    EXPECT_FALSE(outcome.is_permanent);
  }
  EXPECT_THAT(collector_.requests, SizeIs(1));
}

TEST_F(OtlpHttpExporterTest, NacksWhatCannotBeEncoded) {
  StartPlain("encoding: json");
  const auto malformed = otap::MakeEncodedBatch(
      Signal::kLogs,
      {.bytes = arrow::Buffer::FromString("x"),
       .decode = [](Signal, const arrow::Buffer&) -> arrow::Result<otap::BatchPtr> {
         return arrow::Status::Invalid("at offset 0");
       }},
      1);
  const engine::Outcome outcome = Deliver(malformed);
  EXPECT_TRUE(outcome.is_permanent);
  EXPECT_EQ(outcome.reason, "at offset 0");
}

TEST_F(OtlpHttpExporterTest, SpeaksTls) {
  const testing::TlsIdentity server = testing::MakeTlsIdentity("127.0.0.1");
  const testing::TlsIdentity client = testing::MakeTlsIdentity("client");
  runtime::TlsSettings settings;
  settings.cert_pem = server.cert_pem;
  settings.key_pem = server.key_pem;
  settings.ca_pem = client.cert_pem;
  Listen(runtime::TlsContext::MakeServer(settings, {"http/1.1"}).ValueOrDie());
  const auto text = [](std::string pem) {
    for (size_t at = pem.find('\n'); at != std::string::npos; at = pem.find('\n', at + 2)) {
      pem.replace(at, 1, "\\n");
    }
    return pem;
  };
  const std::string trust =
      fmt::format("endpoint: '{}', tls: {{ca_pem: \"{}\"", Url("https"), text(server.cert_pem));
  Start(fmt::format("{}, cert_pem: \"{}\", key_pem: \"{}\"}}", trust, text(client.cert_pem),
                    text(client.key_pem)));
  EXPECT_TRUE(Deliver(Batch(Signal::kLogs)).is_ack);
  Start(trust + "}");
  EXPECT_FALSE(Deliver(Batch(Signal::kLogs)).is_ack) << "without a certificate";
}

TEST_F(OtlpHttpExporterTest, ChecksItsConfiguration) {
  EXPECT_THAT(Problem(""), HasSubstr("key 'endpoint' is missing, expected it or 'logs_endpoint'"));
  EXPECT_THAT(Problem("logs_endpoint: 'http://a'"), HasSubstr("or 'traces_endpoint'"));
  EXPECT_THAT(Problem("endpoint: 'collector:4318'"), HasSubstr("found URL 'collector:4318'"));
  EXPECT_THAT(Problem("endpoint: 'http://a/?b'"), HasSubstr("has a query"));
  EXPECT_THAT(Problem("endpoint: 'http://a', http: {}"), HasSubstr("beside 'endpoint'"));
  EXPECT_THAT(Problem("endpoint: 'http://a', tls: {}"), HasSubstr("https://"));
  EXPECT_THAT(Problem("endpoint: 'http://a', headers: {Content-Type: x}"),
              HasSubstr("'Content-Type'"));
  EXPECT_THAT(Problem("endpoint: 'http://a', headers: {'a b': x}"), HasSubstr("'a b'"));
  EXPECT_THAT(Problem("endpoint: 'http://a', headers: {a: \"x\\r\\ny: z\"}"),
              HasSubstr("control characters"));
}

}  // namespace
}  // namespace df::nodes::exporters::otlp_http
