#include "nodes/receivers/otlp/grpc_endpoint.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <protozero/pbf_writer.hpp>

#include "nodes/receivers/otlp/otlp_receiver.h"
#include "otlp/encode.h"
#include "otlp/export_response.h"
#include "runtime/grpc/client.h"
#include "testing/pipeline_harness.h"
#include "testing/random_batch.h"
#include "testing/tcp_peer.h"
#include "testing/tls_identity.h"

namespace df::nodes::receivers::otlp {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using otap::Signal;
using runtime::grpc::Code;
using runtime::grpc::UnaryAnswer;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::SizeIs;

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

std::string_view PathOf(Signal signal) {
  switch (signal) {
    case Signal::kLogs:
      return "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
    case Signal::kTraces:
      return "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    case Signal::kMetrics:
      break;
  }
  return "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
}

/// A request of log records without anything in them.
std::string LogsRequest(int num_records) {
  std::string request;
  protozero::pbf_writer writer(request);
  protozero::pbf_writer resource(writer, 1);
  protozero::pbf_writer scope(resource, 2);
  for (int i = 0; i < num_records; ++i) {
    protozero::pbf_writer record(scope, 2);
    record.add_fixed64(1, static_cast<uint64_t>(i) + 1);
  }
  return request;
}

class GrpcEndpointTest : public ::testing::Test {
 protected:
  struct Call {
    UnaryAnswer answer;
    runtime::Task<void> task;
  };

  void Start(const std::string& config = "") {
    static const engine::NodeDescriptor spied = Spied();
    harness_ = std::make_unique<testing::PipelineHarness>(
        fmt::format(R"({{nodes: {{
          otlp: {{kind: receiver, plugin_urn: "urn:otel:receiver:otlp",
                  out_ports: {{out: {{destinations: [sink]}}}},
                  config: {{protocols: {{grpc: {{listening_addr: '127.0.0.1:0'{}{}}}}}}}}},
          sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}}}}}})",
                    config.empty() ? "" : ", ", config),
        std::vector<const engine::NodeDescriptor*>{&spied});
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->RunUntilIdle();
    ASSERT_NE(latest_receiver->grpc_port(), 0);
    MakeClient({});
  }
  void MakeClient(runtime::grpc::ClientSettings settings) {
    settings.http2.host = "127.0.0.1";
    settings.http2.port = latest_receiver->grpc_port();
    client_ = std::make_unique<runtime::grpc::Client>(&client_loop_, settings);
  }

  void Until(const std::function<bool()>& done) {
    ASSERT_TRUE(testing::StepUntil(
        [this] {
          harness_->RunUntilIdle();
          client_loop_.RunUntilIdle();
        },
        done));
  }

  Call& Send(std::string_view path, std::string request,
             std::chrono::nanoseconds timeout = seconds(60)) {
    Call& call = calls_.emplace_back();
    call.task =
        Store(client_->Call(std::string(path), std::move(request), client_clock_.Now() + timeout),
              &call.answer);
    call.task.Start();
    return call;
  }
  UnaryAnswer Ask(std::string_view path, std::string request) {
    Call& call = Send(path, std::move(request));
    Until([&call] { return call.task.is_done(); });
    return call.answer;
  }
  UnaryAnswer AskLogs(int num_records) {
    return Ask(PathOf(Signal::kLogs), LogsRequest(num_records));
  }

  /// Acks what the sink holds.
  void Release() {
    while (!harness_->sink().held.empty()) {
      harness_->sink().Answer(0, engine::Outcome::Ack());
    }
  }

  static runtime::Task<void> Store(runtime::Task<UnaryAnswer> call, UnaryAnswer* answer) {
    *answer = co_await std::move(call);
  }

  testing::SimulatedClock client_clock_;
  runtime::EventLoop client_loop_{client_clock_};
  std::unique_ptr<testing::PipelineHarness> harness_;
  std::unique_ptr<runtime::grpc::Client> client_;
  std::deque<Call> calls_;
};

TEST_F(GrpcEndpointTest, RequestsOfEverySignalAndCompressionArrive) {
  Start();
  testing::RandomEngine random(3);
  for (const Signal signal : otap::kAllSignals) {
    for (const Compression compression :
         {Compression::kNone, Compression::kGzip, Compression::kZstd, Compression::kDeflate}) {
      runtime::grpc::ClientSettings settings;
      settings.compression = compression;
      MakeClient(settings);
      const auto batch = testing::RandomBatch(signal, {}, random);
      const std::string request = *df::otlp::EncodeRequest(*batch);
      const UnaryAnswer answer = Ask(PathOf(signal), request);
      EXPECT_TRUE(answer.status.ok()) << answer.status.ToString();
      EXPECT_EQ(answer.message, "");
      const auto& taken = harness_->sink().taken;
      ASSERT_FALSE(taken.empty());
      EXPECT_EQ(taken.back()->num_items(), batch->num_items());
    }
    EXPECT_EQ(harness_->metric("otlp", "df.receiver.otlp.requests",
                               {{"protocol", "grpc"}, {"signal", std::string(Name(signal))}}),
              4);
  }
}

TEST_F(GrpcEndpointTest, WithoutWaitTheAnswerComesBeforeTheOutcome) {
  Start();
  harness_->sink().holds = true;
  EXPECT_TRUE(AskLogs(3).status.ok());
}

TEST_F(GrpcEndpointTest, WithWaitTheOutcomeIsTheAnswer) {
  Start("wait_for_result: true");
  harness_->sink().holds = true;
  Call& call = Send(PathOf(Signal::kLogs), LogsRequest(3));
  Until([this] { return harness_->sink().held.size() == 1; });
  EXPECT_FALSE(call.task.is_done());
  Release();
  Until([&call] { return call.task.is_done(); });
  EXPECT_TRUE(call.answer.status.ok());
}

TEST_F(GrpcEndpointTest, RefusalsKeepWhetherTheyAreForGood) {
  Start("wait_for_result: true");
  harness_->sink().next_outcomes.push_back(engine::Outcome::Nack("come again", false));
  const UnaryAnswer temporary = AskLogs(1);
  EXPECT_EQ(temporary.status.code, Code::kUnavailable);
  EXPECT_EQ(temporary.status.message, "come again");
  EXPECT_EQ(temporary.status.retry_delay, seconds(1));
  harness_->sink().next_outcomes.push_back(engine::Outcome::Nack("never", true));
  const UnaryAnswer permanent = AskLogs(1);
  EXPECT_EQ(permanent.status.code, Code::kInvalidArgument);
  EXPECT_EQ(permanent.status.retry_delay, std::nullopt);
}

TEST_F(GrpcEndpointTest, AMalformedRequestIsRefusedForGood) {
  Start();
  const UnaryAnswer answer = Ask(PathOf(Signal::kLogs), "\x0a\x7f too short");
  EXPECT_EQ(answer.status.code, Code::kInvalidArgument);
  EXPECT_THAT(harness_->sink().taken, SizeIs(0));
  EXPECT_TRUE(AskLogs(1).status.ok());
}

TEST_F(GrpcEndpointTest, ASecondMessageOfACallIsRefusedAndNotDropped) {
  Start("wait_for_result: true");
  std::unique_ptr<runtime::grpc::ClientCall> call;
  runtime::grpc::CallStatus status;
  const auto talk = [&]() -> runtime::Task<void> {
    call = co_await client_->Open(std::string(PathOf(Signal::kLogs)), {},
                                  client_clock_.Now() + seconds(60));
    EXPECT_TRUE(co_await call->Write(LogsRequest(1)));
    EXPECT_TRUE(co_await call->Write(LogsRequest(2)));
    call->FinishWrites();
    std::string answer;
    while (co_await call->Read(&answer)) {
    }
    status = call->status();
  };
  runtime::Task<void> talking = talk();
  talking.Start();
  Until([&talking] { return talking.is_done(); });
  EXPECT_EQ(status.code, Code::kUnimplemented) << status.ToString();
  EXPECT_THAT(harness_->sink().taken, SizeIs(0)) << "nothing of it is taken";
  EXPECT_TRUE(AskLogs(1).status.ok());
}

TEST_F(GrpcEndpointTest, RequestsThatAreTooLargeOrInflateTooFarAreExhausted) {
  Start("max_decoding_message_size: 10KiB");
  EXPECT_EQ(Ask(PathOf(Signal::kLogs), std::string(10'241, '\0')).status.code,
            Code::kResourceExhausted);
  runtime::grpc::ClientSettings settings;
  settings.compression = Compression::kGzip;
  MakeClient(settings);
  EXPECT_EQ(Ask(PathOf(Signal::kLogs), std::string(100'000, '\0')).status.code,
            Code::kResourceExhausted);
  EXPECT_EQ(harness_->metric("otlp", "df.receiver.otlp.requests.refused",
                             {{"protocol", "grpc"}, {"reason", "too_large"}}),
            2);
  EXPECT_TRUE(AskLogs(1).status.ok());
}

TEST_F(GrpcEndpointTest, AConnectionThatDoesNotSpeakHttp2IsCounted) {
  Start();
  EXPECT_TRUE(AskLogs(1).status.ok());
  testing::TcpPeer peer(latest_receiver->grpc_port());
  peer.Send("GET / HTTP/1.1\r\n\r\n, and what else fills a preface");
  Until([&peer] {
    peer.Poll();
    return peer.is_closed();
  });
  latest_receiver->OnCollect();
  latest_receiver->OnCollect();
  const auto count = [this](const std::string& outcome) {
    return harness_->metric("otlp", "df.receiver.otlp.connections", {{"outcome", outcome}});
  };
  EXPECT_EQ(count("accepted"), 2);
  EXPECT_EQ(count("broken"), 1);
  EXPECT_EQ(count("refused"), 0);
}

TEST_F(GrpcEndpointTest, ACompressionThatIsNotListedIsUnimplemented) {
  Start("request_compression: [gzip]");
  runtime::grpc::ClientSettings settings;
  settings.compression = Compression::kZstd;
  MakeClient(settings);
  EXPECT_EQ(AskLogs(1).status.code, Code::kUnimplemented);
  EXPECT_EQ(Ask("/a.b/C", "").status.code, Code::kUnimplemented);
}

TEST_F(GrpcEndpointTest, AnOutcomeThatDoesNotComeInTimeIsADeadline) {
  Start("wait_for_result: true, timeout: 5s");
  harness_->sink().holds = true;
  Call& call = Send(PathOf(Signal::kLogs), LogsRequest(1));
  Until([this] { return harness_->sink().held.size() == 1; });
  harness_->Advance(milliseconds(5'100));
  Until([&call] { return call.task.is_done(); });
  EXPECT_EQ(call.answer.status.code, Code::kDeadlineExceeded);
}

TEST_F(GrpcEndpointTest, MoreRequestsThanMayBeUnderWayAreToldToComeAgain) {
  Start("wait_for_result: true, max_concurrent_requests: 2");
  harness_->sink().holds = true;
  Send(PathOf(Signal::kLogs), LogsRequest(1));
  Send(PathOf(Signal::kLogs), LogsRequest(1));
  Until([this] { return harness_->sink().held.size() == 2; });
  const auto first = std::move(client_);
  MakeClient({});  // the first connection may open no more
  const UnaryAnswer answer = AskLogs(1);
  EXPECT_EQ(answer.status.code, Code::kUnavailable);
  EXPECT_EQ(answer.status.retry_delay, seconds(1));
  Release();
  Until([this] { return calls_[0].task.is_done() && calls_[1].task.is_done(); });
  EXPECT_TRUE(calls_[0].answer.status.ok());
}

TEST_F(GrpcEndpointTest, TellsItsHealth) {
  Start("max_concurrent_requests: 1, wait_for_result: true");
  const std::string check = "/grpc.health.v1.Health/Check";
  const auto request = [](std::string_view service) {
    return "\x0a" + std::string(1, static_cast<char>(service.size())) + std::string(service);
  };
  harness_->sink().holds = true;
  Call& call = Send(PathOf(Signal::kLogs), LogsRequest(1));
  Until([this] { return harness_->sink().held.size() == 1; });
  // A server that is busy is a healthy one. The connection may open no more.
  const auto first = std::move(client_);
  MakeClient({});
  EXPECT_EQ(Ask(check, "").message, "\x08\x01");
  const auto logs = Ask(check, request("opentelemetry.proto.collector.logs.v1.LogsService"));
  EXPECT_EQ(logs.message, "\x08\x01") << logs.status.ToString();
  EXPECT_EQ(Ask(check, request("x")).status.code, Code::kNotFound);
  EXPECT_EQ(Ask(check, "\x0a\x05").status.code, Code::kInvalidArgument);
  EXPECT_EQ(Ask("/grpc.health.v1.Health/Watch", "").status.code, Code::kUnimplemented);
  Release();
  Until([&call] { return call.task.is_done(); });
}

TEST_F(GrpcEndpointTest, CallsThatDoNotArriveMakeRoom) {
  Start("max_concurrent_requests: 4, wait_for_result: true");
  struct Stuck {
    std::unique_ptr<runtime::grpc::ClientCall> call;
    runtime::Task<void> task;
  };
  std::vector<Stuck> stuck(4);
  const auto open = [this](Stuck* self) -> runtime::Task<void> {
    runtime::http2::Headers metadata;
    self->call = co_await client_->Open(std::string(PathOf(Signal::kLogs)), std::move(metadata),
                                        client_clock_.Now() + seconds(60));
    std::string none;
    const bool has_answer = co_await self->call->Read(&none);
    EXPECT_FALSE(has_answer);
    EXPECT_EQ(self->call->status().code, Code::kUnavailable);
    EXPECT_EQ(self->call->status().retry_delay, seconds(1));
  };
  for (Stuck& one : stuck) {
    one.task = open(&one);
    one.task.Start();
  }
  const auto num_evicted = [&stuck] {
    return std::count_if(stuck.begin(), stuck.end(),
                         [](const Stuck& one) { return one.task.is_done(); });
  };
  const auto greedy = std::move(client_);
  MakeClient({});
  Until([&stuck] {
    return std::all_of(stuck.begin(), stuck.end(),
                       [](const Stuck& one) { return one.call != nullptr; });
  });
  for (int i = 0; i < 20; ++i) {
    harness_->RunUntilIdle();
    client_loop_.RunUntilIdle();
  }
  // One connection has all the places: another gets one at once.
  EXPECT_TRUE(AskLogs(1).status.ok());
  EXPECT_TRUE(AskLogs(1).status.ok());
  EXPECT_EQ(num_evicted(), 1);
  // Those that are slow make room for as many as come.
  harness_->Advance(milliseconds(1'100));
  harness_->sink().holds = true;
  for (int i = 0; i < 3; ++i) {
    Send(PathOf(Signal::kLogs), LogsRequest(1));
  }
  Until([this] { return harness_->sink().held.size() == 3; });
  Until([&] { return num_evicted() == 3; });
  Release();
  Until([this] {
    return std::all_of(calls_.begin(), calls_.end(),
                       [](const Call& call) { return call.task.is_done(); });
  });
  EXPECT_TRUE(calls_.back().answer.status.ok());
}

TEST_F(GrpcEndpointTest, ADrainAnswersWhatIsUnderWayAndTakesNothingMore) {
  Start("wait_for_result: true");
  harness_->sink().holds = true;
  Call& call = Send(PathOf(Signal::kLogs), LogsRequest(1));
  Until([this] { return harness_->sink().held.size() == 1; });
  harness_->RequestDrain();
  EXPECT_EQ(AskLogs(1).status.code, Code::kUnavailable);
  Release();
  Until([&call] { return call.task.is_done(); });
  EXPECT_TRUE(call.answer.status.ok()) << call.answer.status.ToString();
  Until([this] { return harness_->has_ended(); });
}

TEST_F(GrpcEndpointTest, EveryProtocolNeedsAPortOfItsOwnThatAllCoresShare) {
  const auto problem = [](const std::string& protocols, int num_cores) {
    engine::PipelineInstance::Options options;
    options.num_instances = num_cores;
    const testing::PipelineHarness harness(fmt::format(R"({{nodes: {{
          otlp: {{kind: receiver, plugin_urn: "urn:otel:receiver:otlp",
                  out_ports: {{out: {{destinations: [sink]}}}}, config: {{protocols: {}}}}},
          sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}}}}}})",
                                                       protocols),
                                           {&kDescriptor}, options);
    return harness.status().message();
  };
  const std::string any = "{grpc: {listening_addr: '127.0.0.1:0'}}";
  EXPECT_EQ(problem(any, 1), "");
  EXPECT_THAT(problem(any, 2), HasSubstr("2 cores would each listen"));
  EXPECT_THAT(problem("{http: {listening_addr: '127.0.0.1:0'}}", 2),
              HasSubstr("2 cores would each listen"));
  EXPECT_THAT(problem("{http: {listening_addr: '127.0.0.1:1'}, grpc: {listening_addr: "
                      "'127.0.0.1:1'}}",
                      1),
              HasSubstr("listen both at 127.0.0.1:1"));
}

TEST_F(GrpcEndpointTest, SpeaksTlsWithClientsThatShowACertificate) {
  const testing::TlsIdentity server = testing::MakeTlsIdentity("127.0.0.1");
  const testing::TlsIdentity client = testing::MakeTlsIdentity("client");
  const auto quoted = [](std::string text) {
    for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at)) {
      text.replace(at, 1, "\\n");
    }
    return '"' + text + '"';
  };
  Start(fmt::format("tls: {{cert_pem: {}, key_pem: {}, client_ca_pem: {}}}",
                    quoted(server.cert_pem), quoted(server.key_pem), quoted(client.cert_pem)));
  runtime::TlsSettings tls;
  tls.ca_pem = server.cert_pem;
  tls.trusts_system = false;
  runtime::grpc::ClientSettings settings;
  settings.http2.tls = *runtime::TlsContext::MakeClient(tls, {"h2"});
  MakeClient(settings);
  EXPECT_EQ(AskLogs(1).status.code, Code::kUnavailable);
  tls.cert_pem = client.cert_pem;
  tls.key_pem = client.key_pem;
  settings.http2.tls = *runtime::TlsContext::MakeClient(tls, {"h2"});
  MakeClient(settings);
  EXPECT_TRUE(AskLogs(1).status.ok());
}

}  // namespace
}  // namespace df::nodes::receivers::otlp
