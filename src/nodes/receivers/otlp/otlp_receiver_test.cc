#include "nodes/receivers/otlp/otlp_receiver.h"

#include <deque>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <protozero/pbf_writer.hpp>

#include "base/compression.h"
#include "otlp/encode.h"
#include "testing/pipeline_harness.h"
#include "testing/random_batch.h"
#include "testing/tcp_peer.h"

namespace df::nodes::receivers::otlp {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using df::otlp::Encoding;
using otap::Signal;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

OtlpReceiver* latest_receiver = nullptr;

/// The node, with a way to find out at which port it listens.
engine::NodeDescriptor Spied() {
  engine::NodeDescriptor spied = kDescriptor;
  spied.make_receiver = [](const engine::NodeConfigPtr& config, const engine::NodeSharedPtr& shared,
                           const engine::InstanceInfo& info) {
    auto made = kDescriptor.make_receiver(config, shared, info);
    latest_receiver = static_cast<OtlpReceiver*>(made->get());
    return made;
  };
  return spied;
}

std::string Document(const std::string& config, const std::string& protocols = "") {
  return fmt::format(
      R"({{nodes: {{
      otlp: {{kind: receiver, plugin_urn: "urn:otel:receiver:otlp",
              out_ports: {{out: {{destinations: [sink]}}}}, config: {}}},
      sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}}}}}})",
      protocols.empty()
          ? fmt::format("{{protocols: {{http: {{listening_addr: '127.0.0.1:0'{}{}}}}}}}",
                        config.empty() ? "" : ", ", config)
          : protocols);
}

struct Reply {
  int status = 0;
  std::string head;
  std::string body;
};

class OtlpReceiverTest : public ::testing::Test {
 protected:
  void Start(const std::string& config = "", engine::PipelineInstance::Options options = {}) {
    static const engine::NodeDescriptor spied = Spied();
    harness_ = std::make_unique<testing::PipelineHarness>(
        Document(config), std::vector<const engine::NodeDescriptor*>{&spied}, options);
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->RunUntilIdle();
    ASSERT_NE(latest_receiver->http_port(), 0);
  }

  /// Starts in front of an exporter that takes requests as they are.
  void StartTaking() {
    static const engine::NodeDescriptor spied = Spied();
    static const engine::NodeDescriptor taking = [] {
      engine::NodeDescriptor descriptor = testing::CorkableExporterDescriptor();
      descriptor.urn = "urn:otel:exporter:test_taking";
      descriptor.takes_encoded = true;
      return descriptor;
    }();
    std::string document = Document("wait_for_result: true");
    const std::string sink = "urn:otel:exporter:test_corkable";
    document.replace(document.find(sink), sink.size(), taking.urn);
    harness_ = std::make_unique<testing::PipelineHarness>(
        document, std::vector<const engine::NodeDescriptor*>{&spied, &taking});
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->RunUntilIdle();
  }

  bool Until(const std::function<bool()>& done) {
    return testing::StepUntil(
        [this] {
          harness_->RunUntilIdle();
          for (testing::TcpPeer& peer : peers_) {
            peer.Poll();
          }
        },
        done);
  }

  testing::TcpPeer& Connect() { return peers_.emplace_back(latest_receiver->http_port()); }

  static std::string Post(std::string_view path, const std::string& body,
                          std::string_view type = "application/x-protobuf",
                          std::string_view coding = "") {
    return fmt::format(
        "POST {} HTTP/1.1\r\nHost: x\r\nContent-Type: {}\r\n{}Content-Length: {}\r\n\r\n{}", path,
        type, coding.empty() ? "" : fmt::format("Content-Encoding: {}\r\n", coding), body.size(),
        body);
  }

  /// Takes one reply off what a peer has received.
  Reply Receive(testing::TcpPeer* peer) {
    Reply reply;
    const auto is_whole = [&] {
      const size_t end = peer->received().find("\r\n\r\n");
      if (end == std::string::npos) {
        return peer->is_closed();
      }
      const size_t at = peer->received().find("Content-Length: ");
      const size_t length = std::stoul(peer->received().substr(at + 16));
      if (peer->received().size() < end + 4 + length) {
        return false;
      }
      reply.head = peer->received().substr(0, end + 2);
      reply.status = std::stoi(reply.head.substr(9));
      reply.body = peer->received().substr(end + 4, length);
      peer->received().erase(0, end + 4 + length);
      return true;
    };
    EXPECT_TRUE(Until(is_whole));
    return reply;
  }

  Reply Ask(const std::string& request) {
    testing::TcpPeer& peer = Connect();
    peer.Send(request);
    return Receive(&peer);
  }

  static std::string Request(Signal signal, int seed, int root_rows = 20) {
    testing::RandomEngine rng(static_cast<uint64_t>(seed));
    return df::otlp::EncodeRequest(*testing::RandomBatch(signal, {.root_rows = root_rows}, rng))
        .ValueOrDie();
  }
  /// A request of log records with nothing in them.
  static std::string BareLogs(int64_t count) {
    std::string scope;
    protozero::pbf_writer writer(scope);
    for (int64_t i = 0; i < count; ++i) {
      writer.add_message(2, std::string());
    }
    std::string resource;
    protozero::pbf_writer(resource).add_message(2, scope);
    std::string request;
    protozero::pbf_writer(request).add_message(1, resource);
    return request;
  }

  static df::otlp::RpcStatus StatusOf(const Reply& reply, Encoding encoding = Encoding::kProtobuf) {
    return df::otlp::ReadRpcStatus(encoding, reply.body).ValueOrDie();
  }

  std::string Taken(size_t index) {
    return df::otlp::EncodeRequest(*harness_->sink().taken.at(index)).ValueOrDie();
  }

  static std::string Problem(const std::string& protocols) {
    return testing::PipelineHarness(Document("", protocols), {&kDescriptor}).status().message();
  }

  std::unique_ptr<testing::PipelineHarness> harness_;
  std::deque<testing::TcpPeer> peers_;
};

TEST_F(OtlpReceiverTest, SendsWhatItTakesOfEachSignal) {
  Start();
  for (const Signal signal : otap::kAllSignals) {
    const std::string request = Request(signal, 1);
    const Reply reply = Ask(Post(fmt::format("/v1/{}", otap::Name(signal)), request));
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "");
    EXPECT_THAT(reply.head, HasSubstr("Content-Type: application/x-protobuf\r\n"));
    ASSERT_FALSE(harness_->sink().taken.empty());
    EXPECT_EQ(harness_->sink().taken.back()->signal(), signal);
    EXPECT_EQ(Taken(harness_->sink().taken.size() - 1), request);
  }
}

TEST_F(OtlpReceiverTest, TakesJsonAndAnswersInIt) {
  Start();
  testing::RandomEngine rng(3);
  const otap::BatchPtr batch = testing::RandomBatch(Signal::kTraces, {}, rng);
  const std::string json = df::otlp::EncodeJson(*batch).ValueOrDie();
  const Reply reply = Ask(Post("/v1/traces", json, "application/json; charset=utf-8"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "{}");
  EXPECT_EQ(Taken(0), df::otlp::EncodeRequest(*batch).ValueOrDie());
  const Reply bad = Ask(Post("/v1/traces", "{\"resourceSpans\": 7}", "application/json"));
  EXPECT_EQ(bad.status, 400);
  EXPECT_THAT(StatusOf(bad, Encoding::kJson).message, HasSubstr("resourceSpans"));
}

TEST_F(OtlpReceiverTest, InflatesEachCodingUpToTheLimit) {
  Start("max_request_body_size: 64KiB");
  const std::string request = Request(Signal::kLogs, 5);
  for (const std::string_view coding : {"gzip", "deflate", "zstd", "GZIP", "identity", "x-gzip",
                                        "zlib", "snappy", "x-snappy-framed", "lz4"}) {
    const std::string body = Compress(*ParseCompression(coding), request).ValueOrDie();
    EXPECT_EQ(Ask(Post("/v1/logs", body, "application/x-protobuf", coding)).status, 200) << coding;
    EXPECT_EQ(Taken(harness_->sink().taken.size() - 1), request);
  }
  const std::string bomb =
      Compress(Compression::kGzip, std::string((64 << 10) + 1, '\0')).ValueOrDie();
  const Reply large = Ask(Post("/v1/logs", bomb, "application/x-protobuf", "gzip"));
  EXPECT_EQ(large.status, 413);
  EXPECT_THAT(StatusOf(large).message, HasSubstr("65536"));
  EXPECT_EQ(Ask(Post("/v1/logs", "junk", "application/x-protobuf", "zstd")).status, 400);
  EXPECT_EQ(Ask(Post("/v1/logs", std::string((64 << 10) + 1, '\0'))).status, 413);
  EXPECT_THAT(harness_->sink().taken, SizeIs(10));
  EXPECT_EQ(harness_->metric("otlp", "df.receiver.otlp.requests.refused",
                             {{"protocol", "http"}, {"reason", "too_large"}}),
            2);
}

class RandomRequests : public OtlpReceiverTest, public ::testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(Seeds, RandomRequests, ::testing::Range(1, 13));

TEST_P(RandomRequests, ArriveHoweverTheyAreWrittenAndCut) {
  RecordProperty("seed", GetParam());
  testing::RandomEngine rng(static_cast<uint64_t>(GetParam()));
  Start("wait_for_result: true");
  testing::TcpPeer& peer = Connect();
  for (int round = 0; round < 6; ++round) {
    const Signal signal = otap::kAllSignals[static_cast<size_t>(testing::Between(rng, 0, 2))];
    const otap::BatchPtr batch = testing::RandomBatch(
        signal, {.root_rows = static_cast<int>(testing::Between(rng, 1, 50))}, rng);
    const bool is_json = testing::Between(rng, 0, 1) == 1;
    const auto write = [is_json](const otap::Batch& written) {
      return (is_json ? df::otlp::EncodeJson(written) : df::otlp::EncodeRequest(written))
          .ValueOrDie();
    };
    const auto compression = static_cast<Compression>(testing::Between(rng, 0, 3));
    const std::string body = Compress(compression, write(*batch)).ValueOrDie();
    std::string request =
        Post(fmt::format("/v1/{}", otap::Name(signal)), body,
             is_json ? "application/json" : "application/x-protobuf", Name(compression));
    if (testing::Between(rng, 0, 1) == 1) {
      const size_t head = request.find("Content-Length");
      const size_t middle = body.size() / 2;
      request = request.substr(0, head) + "Transfer-Encoding: chunked\r\n\r\n";
      for (const std::string& chunk : {body.substr(0, middle), body.substr(middle)}) {
        request += chunk.empty() ? "" : fmt::format("{:x}\r\n{}\r\n", chunk.size(), chunk);
      }
      request += "0\r\n\r\n";
    }
    while (!request.empty()) {
      const auto size = static_cast<size_t>(testing::Between(rng, 1, 3000));
      peer.Send(request.substr(0, size));
      request.erase(0, size);
      ASSERT_TRUE(Until([&] { return peer.has_sent(); }));
    }
    ASSERT_EQ(Receive(&peer).status, 200) << "seed " << GetParam() << " round " << round;
    EXPECT_EQ(write(*harness_->sink().taken.back()), write(*batch))
        << "seed " << GetParam() << " round " << round;
  }
}

TEST_F(OtlpReceiverTest, SaysWhatIsWrongWithARequest) {
  Start("accept_compressed_requests: false");
  const Reply path = Ask(Post("/v1/profiles", ""));
  EXPECT_EQ(path.status, 404);
  EXPECT_THAT(StatusOf(path).message, HasSubstr("/v1/profiles"));
  const Reply method = Ask("GET /v1/logs HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(method.status, 405);
  EXPECT_THAT(method.head, HasSubstr("Allow: POST\r\n"));
  const Reply type = Ask(Post("/v1/logs", "", "text/plain"));
  EXPECT_EQ(type.status, 415);
  EXPECT_THAT(StatusOf(type, Encoding::kJson).message, HasSubstr("'text/plain'"));
  EXPECT_EQ(Ask(Post("/v1/logs", "", "application/x-protobuf", "br")).status, 415);
  EXPECT_EQ(Ask(Post("/v1/logs", "", "application/x-protobuf", "gzip")).status, 415);
  const Reply malformed = Ask(Post("/v1/logs", "\x0A\x05"));
  EXPECT_EQ(malformed.status, 400);
  EXPECT_EQ(StatusOf(malformed).code, 3);
  EXPECT_THAT(StatusOf(malformed).message, HasSubstr("at offset 0"));
  EXPECT_THAT(harness_->sink().taken, IsEmpty());
}

TEST_F(OtlpReceiverTest, AnswersAnEmptyRequestWithoutSendingAnything) {
  Start("wait_for_result: true");
  EXPECT_EQ(Ask(Post("/v1/metrics", "")).status, 200);
  EXPECT_THAT(harness_->sink().taken, IsEmpty());
}

TEST_F(OtlpReceiverTest, WaitsForTheOutcomeWhenToldTo) {
  Start("wait_for_result: true, timeout: 20s");
  harness_->sink().holds = true;
  testing::TcpPeer& peer = Connect();
  peer.Send(Post("/v1/logs", Request(Signal::kLogs, 1)));
  ASSERT_TRUE(Until([&] { return harness_->sink().held.size() == 1; }));
  EXPECT_EQ(peer.received(), "");
  harness_->sink().Answer(0, engine::Outcome::Ack());
  EXPECT_EQ(Receive(&peer).status, 200);

  peer.Send(Post("/v1/logs", Request(Signal::kLogs, 1)));
  ASSERT_TRUE(Until([&] { return harness_->sink().held.size() == 1; }));
  harness_->sink().Answer(0, engine::Outcome::Nack("the disk is full", false));
  const Reply later = Receive(&peer);
  EXPECT_EQ(later.status, 503);
  EXPECT_THAT(later.head, HasSubstr("Retry-After: 1\r\n"));
  EXPECT_EQ(StatusOf(later).code, 14);
  EXPECT_EQ(StatusOf(later).message, "the disk is full");

  peer.Send(Post("/v1/logs", Request(Signal::kLogs, 1)));
  ASSERT_TRUE(Until([&] { return harness_->sink().held.size() == 1; }));
  harness_->sink().Answer(0, engine::Outcome::Nack("too ugly", true));
  const Reply never = Receive(&peer);
  EXPECT_EQ(never.status, 400);
  EXPECT_EQ(StatusOf(never).message, "too ugly");

  peer.Send(Post("/v1/logs", Request(Signal::kLogs, 1)));
  ASSERT_TRUE(Until([&] { return harness_->sink().held.size() == 1; }));
  harness_->Advance(seconds(21));
  EXPECT_EQ(Receive(&peer).status, 504);
  harness_->sink().Answer(0, engine::Outcome::Ack());
}

TEST_F(OtlpReceiverTest, TellsAfterwardsWhatWasRefusedBehindTheSendersBack) {
  Start();
  harness_->sink().next_outcomes.push_back(engine::Outcome::Nack("no room", false));
  EXPECT_EQ(Ask(Post("/v1/logs", Request(Signal::kLogs, 1))).status, 200);
  harness_->RequestDrain();
  ASSERT_TRUE(Until([&] { return harness_->has_ended(); }));
  const engine::InstanceResult result = harness_->TakeResult();
  EXPECT_EQ(result.reports.at(0).num_problems, 1);
  EXPECT_THAT(result.reports.at(0).lines.back(), HasSubstr("no room"));
}

TEST_F(OtlpReceiverTest, WhatHasNoColumnIsCountedAndNamed) {
  Start();
  // Resource.entity_refs in front of a record, and a key of JSON.
  std::string refs;
  protozero::pbf_writer(refs).add_message(3, std::string("\x1a\x04host"));
  std::string scope;
  protozero::pbf_writer(scope).add_message(2, std::string(""));
  std::string resource;
  protozero::pbf_writer(resource).add_message(1, refs);
  protozero::pbf_writer(resource).add_message(2, scope);
  std::string request;
  protozero::pbf_writer(request).add_message(1, resource);
  EXPECT_EQ(Ask(Post("/v1/logs", request)).status, 200);
  EXPECT_EQ(Ask(Post("/v1/logs", request)).status, 200);
  EXPECT_EQ(Ask(Post("/v1/logs", R"({"resourceLogs":[],"newer":1})", "application/json")).status,
            200);
  EXPECT_EQ(harness_->metric("otlp", "df.receiver.otlp.fields.unknown",
                             {{"field", "Resource.entity_refs (field 3)"}}),
            2);
  harness_->RequestDrain();
  ASSERT_TRUE(Until([&] { return harness_->has_ended(); }));
  const engine::InstanceResult result = harness_->TakeResult();
  EXPECT_EQ(result.reports.at(0).num_problems, 3);
  EXPECT_EQ(
      result.reports.at(0).lines.back(),
      "left out 3 fields that there is no column for: 2 x Resource.entity_refs (field 3), 1 x "
      "ExportLogsServiceRequest key 'newer'");
}

TEST_F(OtlpReceiverTest, SplitsALongRequestAndAnswersOnceAllOfItIsIn) {
  Start("wait_for_result: true");
  harness_->sink().holds = true;
  testing::TcpPeer& peer = Connect();
  peer.Send(Post("/v1/logs", BareLogs(2 * otap::kMaxRootRows + 1)));
  ASSERT_TRUE(Until([&] { return harness_->sink().held.size() == 3; }));
  harness_->sink().Answer(0, engine::Outcome::Ack());
  harness_->sink().Answer(0, engine::Outcome::Ack());
  harness_->RunUntilIdle();
  peer.Poll();
  EXPECT_EQ(peer.received(), "");
  // The last one is refused for good: the others are in, so that this is a partial success.
  harness_->sink().Answer(0, engine::Outcome::Nack("one too many", true));
  const Reply reply = Receive(&peer);
  EXPECT_EQ(reply.status, 200);
  const auto response =
      df::otlp::ReadExportResponse(Signal::kLogs, Encoding::kProtobuf, reply.body).ValueOrDie();
  EXPECT_EQ(response.rejected_items, 1);
  EXPECT_EQ(response.message, "one too many");
}

TEST_F(OtlpReceiverTest, PassesOnUndecodedWhatEverybodyBehindTakesSo) {
  StartTaking();
  const std::string request = Request(Signal::kMetrics, 4);
  EXPECT_EQ(Ask(Post("/v1/metrics", request)).status, 200);
  ASSERT_THAT(harness_->sink().taken, SizeIs(1));
  const otap::BatchPtr& batch = harness_->sink().taken[0];
  ASSERT_NE(batch->encoded(), nullptr);
  EXPECT_EQ(batch->encoded()->bytes->ToString(), request);
  EXPECT_EQ(batch->num_items(), otap::WithTables(batch).ValueOrDie()->num_items());
  // An unknown field is kept, and is lost only to who needs the columns later.
  std::string newer = BareLogs(1);
  newer += "\x78\x01";
  EXPECT_EQ(Ask(Post("/v1/logs", newer)).status, 200);
  const otap::BatchPtr kept = harness_->sink().taken.back();
  harness_->sink().taken.pop_back();
  EXPECT_EQ(kept->encoded()->bytes->ToString(), newer);
  EXPECT_TRUE(otap::WithTables(kept).ok());
  EXPECT_EQ(harness_->metric("otlp", "df.receiver.otlp.fields.unknown",
                             {{"field", "ExportLogsServiceRequest field 15"}}),
            1);
  EXPECT_EQ(Ask(Post("/v1/metrics", request.substr(0, request.size() - 1))).status, 400);
  EXPECT_EQ(Ask(Post("/v1/logs", "{}", "application/json")).status, 200);
  EXPECT_EQ(Ask(Post("/v1/logs", BareLogs(otap::kMaxRootRows + 1))).status, 200);
  ASSERT_THAT(harness_->sink().taken, SizeIs(3));
  EXPECT_EQ(harness_->sink().taken[2]->encoded(), nullptr) << "one batch cannot hold it";
}

TEST_F(OtlpReceiverTest, RefusesWhatIsMalformedInsideARecordThatIsPassedOnUndecoded) {
  StartTaking();
  const auto with_record = [](const std::string& record) {
    std::string scope;
    protozero::pbf_writer(scope).add_message(2, record);
    std::string resource;
    protozero::pbf_writer(resource).add_message(2, scope);
    std::string request = BareLogs(2);
    protozero::pbf_writer(request).add_message(1, resource);
    return request;
  };
  std::string text;
  protozero::pbf_writer(text).add_string(3, "severity \xff");
  std::string body;
  protozero::pbf_writer(body).add_message(5, std::string("\x0a\x7f", 2));
  for (const std::string& record : {text, body, std::string("\x09\x01", 2)}) {
    const Reply reply = Ask(Post("/v1/logs", with_record(record)));
    EXPECT_EQ(reply.status, 400);
    EXPECT_THAT(reply.body, HasSubstr("resource_logs[1].scope_logs[0].log_records[0]"));
  }
  EXPECT_THAT(harness_->sink().taken, SizeIs(0));
  EXPECT_EQ(Ask(Post("/v1/logs", BareLogs(1))).status, 200);
}

TEST_F(OtlpReceiverTest, TakesSlashesThatAreRepeatedAsOne) {
  Start();
  EXPECT_EQ(Ask(Post("//v1/logs", BareLogs(1))).status, 200);
  EXPECT_EQ(Ask(Post("/v1///logs?x=//", BareLogs(1))).status, 200);
  EXPECT_EQ(Ask(Post("http://here:4318//v1/logs", BareLogs(1))).status, 200);
  EXPECT_EQ(Ask(Post("/v1/logs/more", BareLogs(1))).status, 404);
}

TEST_F(OtlpReceiverTest, LetsPagesInThatAreNamed) {
  Start(
      "cors: {allowed_origins: ['https://*.example.com', 'http://here:1'], allowed_headers: "
      "[X-Team], max_age: 10min}");
  const auto preflight = [](std::string_view origin, std::string_view path = "/v1/logs") {
    return fmt::format(
        "OPTIONS {} HTTP/1.1\r\nHost: x\r\nOrigin: {}\r\nAccess-Control-Request-Method: POST\r\n"
        "Access-Control-Request-Headers: content-type\r\n\r\n",
        path, origin);
  };
  const auto allows = [](std::string_view origin) {
    return fmt::format("Access-Control-Allow-Origin: {}\r\n", origin);
  };
  Reply reply = Ask(preflight("https://app.example.com"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.head, HasSubstr(allows("https://app.example.com")));
  EXPECT_THAT(reply.head, HasSubstr("Access-Control-Allow-Methods: POST\r\n"));
  EXPECT_THAT(reply.head, HasSubstr("Access-Control-Allow-Headers: Content-Type, "
                                    "Content-Encoding, X-Team\r\n"));
  EXPECT_THAT(reply.head, HasSubstr("Access-Control-Max-Age: 600\r\n"));
  EXPECT_THAT(reply.head, HasSubstr("Vary: Origin\r\n"));
  for (const std::string_view origin :
       {"https://example.com", "https://.example.com", "http://app.example.com", "http://here:2",
        "https://app.example.com.evil", "null"}) {
    reply = Ask(preflight(origin));
    EXPECT_EQ(reply.status, 403) << origin;
    EXPECT_THAT(reply.head, Not(HasSubstr("Access-Control-Allow-Origin"))) << origin;
  }
  EXPECT_EQ(Ask(preflight("http://here:1", "/v1/more")).status, 404);
  std::string post = Post("/v1/logs", BareLogs(1));
  post.insert(post.find("Host:"), "Origin: http://here:1\r\n");
  reply = Ask(post);
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.head, HasSubstr(allows("http://here:1")));
  post = Post("/v1/logs", "\x0a\x7f");
  post.insert(post.find("Host:"), "Origin: http://here:1\r\n");
  reply = Ask(post);
  EXPECT_EQ(reply.status, 400);
  EXPECT_THAT(reply.head, HasSubstr(allows("http://here:1"))) << "the page may read why";
  EXPECT_EQ(Ask(Post("/v1/logs", BareLogs(1))).status, 200) << "no page sends it";
}

TEST_F(OtlpReceiverTest, LetsNoPageInWithoutConfiguration) {
  Start();
  const Reply reply =
      Ask("OPTIONS /v1/logs HTTP/1.1\r\nHost: x\r\nOrigin: https://a\r\n"
          "Access-Control-Request-Method: POST\r\n\r\n");
  EXPECT_EQ(reply.status, 405);
  EXPECT_THAT(reply.head, Not(HasSubstr("Access-Control")));
}

TEST_F(OtlpReceiverTest, AnswersLateWhereThePipelineTakesNothing) {
  Start("timeout: 5s");
  harness_->sink().is_corked = true;
  // The queue in front of a corked exporter fills up.
  std::vector<testing::TcpPeer*> waiting;
  size_t num_answered = 0;
  ASSERT_TRUE(Until([&] {
    testing::TcpPeer& peer = Connect();
    peer.Send(Post("/v1/logs", Request(Signal::kLogs, 1, 2)));
    waiting.push_back(&peer);
    for (int i = 0; i < 20; ++i) {
      harness_->RunUntilIdle();
      peer.Poll();
    }
    const bool is_answered = !peer.received().empty();
    num_answered += is_answered ? 1 : 0;
    return num_answered > 0 && !is_answered;
  }));
  harness_->Advance(seconds(6));
  EXPECT_EQ(Receive(waiting.back()).status, 504);
  harness_->sink().Uncork();
  EXPECT_TRUE(Until([&] { return harness_->sink().taken.size() == num_answered; }));
  EXPECT_EQ(harness_->metric("otlp", "pending"), 0);
}

TEST_F(OtlpReceiverTest, RefusesForNowWhileThePipelineIsFull) {
  engine::PipelineInstance::Options options;
  options.memory = engine::MemoryAccount::Limits{.soft_bytes = 1, .hard_bytes = 2};
  Start("", options);
  harness_->sink().holds = true;
  EXPECT_EQ(Ask(Post("/v1/logs", Request(Signal::kLogs, 1))).status, 200);
  const Reply reply = Ask(Post("/v1/logs", Request(Signal::kLogs, 1)));
  EXPECT_EQ(reply.status, 503);
  EXPECT_THAT(reply.head, HasSubstr("Retry-After: 1\r\n"));
  harness_->sink().Answer(0, engine::Outcome::Ack());
  EXPECT_EQ(Ask(Post("/v1/logs", Request(Signal::kLogs, 1))).status, 200);
  harness_->sink().Answer(0, engine::Outcome::Ack());
}

TEST_F(OtlpReceiverTest, AnswersWhatIsUnderWayDuringADrain) {
  Start("wait_for_result: true");
  harness_->sink().holds = true;
  testing::TcpPeer& waiting = Connect();
  waiting.Send(Post("/v1/logs", Request(Signal::kLogs, 1)));
  ASSERT_TRUE(Until([&] { return harness_->sink().held.size() == 1; }));
  testing::TcpPeer& half = Connect();
  const std::string request = Post("/v1/logs", Request(Signal::kLogs, 2));
  half.Send(request.substr(0, 150));
  ASSERT_TRUE(Until([&] { return half.has_sent(); }));
  for (int i = 0; i < 10; ++i) {
    harness_->RunUntilIdle();
  }
  harness_->RequestDrain();
  harness_->RunUntilIdle();
  half.Send(request.substr(150));
  EXPECT_EQ(Receive(&half).status, 503);
  EXPECT_EQ(waiting.received(), "");
  harness_->sink().Answer(0, engine::Outcome::Ack());
  EXPECT_EQ(Receive(&waiting).status, 200);
  EXPECT_TRUE(Until([&] { return harness_->has_ended(); }));
}

TEST_F(OtlpReceiverTest, EndsWithItsPipelineWhateverIsUnderWay) {
  Start("wait_for_result: true");
  harness_->sink().holds = true;
  testing::TcpPeer& waiting = Connect();
  waiting.Send(Post("/v1/logs", Request(Signal::kLogs, 1)));
  ASSERT_TRUE(Until([&] { return harness_->sink().held.size() == 1; }));
  harness_->sink().held.clear();
  harness_->Destroy();
}

TEST_F(OtlpReceiverTest, ChecksItsConfiguration) {
  EXPECT_THAT(Problem("{protocols: {}}"), HasSubstr("names no protocol"));
  EXPECT_THAT(Problem("{}"), HasSubstr("key 'protocols' is missing"));
  EXPECT_THAT(Problem("{protocols: {http: {}}}"), HasSubstr("key 'listening_addr' is missing"));
  EXPECT_THAT(Problem("{protocols: {http: {listening_addr: here}}}"), HasSubstr("'here'"));
  EXPECT_THAT(Problem("{protocols: {http: {listening_addr: '[::]:1', tls: {cert_file: x}}}}"),
              HasSubstr("found a certificate without a key"));
  EXPECT_THAT(Problem("{protocols: {http: {listening_addr: '[::]:1', tls: {}}}}"),
              HasSubstr("found no certificate"));
  EXPECT_THAT(
      Problem("{protocols: {http: {listening_addr: '[::]:1', tls: {cert_file: /none, key_file: "
              "/none}}}}"),
      HasSubstr("cannot load the certificate"));
}

}  // namespace
}  // namespace df::nodes::receivers::otlp
