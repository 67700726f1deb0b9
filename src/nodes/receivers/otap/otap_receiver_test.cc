// The node over real sockets of this machine, with a gRPC client in the same loop.
#include "nodes/receivers/otap/otap_receiver.h"

#include <filesystem>
#include <functional>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nodes/receivers/otap/config.h"
#include "otap_wire/message.h"
#include "otap_wire/producer.h"
#include "otlp/request_file.h"
#include "runtime/grpc/client.h"
#include "testing/pipeline_harness.h"

namespace df::nodes::receivers::otap {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using df::otap::Signal;
using otap_wire::BatchStatus;
using otap_wire::StatusCode;
using runtime::grpc::Code;
using std::chrono::seconds;
using ::testing::HasSubstr;

OtapReceiver* receiver = nullptr;  // of the test that runs

engine::NodeDescriptor WatchedDescriptor() {
  engine::NodeDescriptor descriptor = kDescriptor;
  descriptor.make_receiver =
      [](const engine::NodeConfigPtr& config, const engine::NodeSharedPtr& shared,
         const engine::InstanceInfo& info) -> Result<std::unique_ptr<engine::Receiver>> {
    auto made = kDescriptor.make_receiver(config, shared, info);
    receiver = made.ok() ? static_cast<OtapReceiver*>(made->get()) : nullptr;
    return made;
  };
  return descriptor;
}

std::string PathOf(std::string_view service, std::string_view method) {
  return fmt::format("/opentelemetry.proto.experimental.arrow.v1.{}/{}", service, method);
}

/// A client's side of one stream.
struct ClientStream {
  std::unique_ptr<runtime::grpc::ClientCall> call;
  std::vector<BatchStatus> answers;
  bool has_ended = false;
  runtime::Task<> opener;
  runtime::Task<> reader;
};

class OtapReceiverTest : public ::testing::Test {
 protected:
  void TearDown() override {
    streams_.clear();
    client_.reset();
    if (harness_ != nullptr) {
      harness_->Destroy();
    }
  }

  void Start(const std::string& config = "") {
    harness_ = std::make_unique<testing::PipelineHarness>(
        fmt::format(R"(
            nodes:
              source: {{kind: receiver, plugin_urn: "urn:otel:otap:receiver",
                        config: {{listening_addr: "127.0.0.1:0"{}}},
                        out_ports: {{out: {{destinations: [sink]}}}}}}
              sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}})",
                    config),
        std::vector<const engine::NodeDescriptor*>{&descriptor_});
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->RunUntilIdle();
    ASSERT_NE(receiver->port(), 0);
    runtime::grpc::ClientSettings settings;
    settings.http2.host = "127.0.0.1";
    settings.http2.port = receiver->port();
    settings.compression = Compression::kZstd;
    client_ = std::make_unique<runtime::grpc::Client>(&harness_->loop(), settings);
  }

  void RunUntil(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + seconds(20);
    while (true) {
      harness_->RunUntilIdle();
      if (condition()) {
        return;
      }
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "what the test waits for does not come";
      std::this_thread::yield();
    }
  }

  static runtime::Task<> OpenCall(runtime::grpc::Client* client, std::string path,
                                  ClientStream* stream) {
    stream->call = co_await client->Open(std::move(path), {}, runtime::SteadyTime::max());
    stream->reader = ReadAnswers(stream);
    stream->reader.Start();
  }

  static runtime::Task<> ReadAnswers(ClientStream* stream) {
    std::string message;
    while (co_await stream->call->Read(&message)) {
      stream->answers.push_back(otap_wire::ReadBatchStatus(message).ValueOrDie());
    }
    stream->has_ended = true;
  }

  ClientStream* Open(const std::string& path) {
    streams_.push_back(std::make_unique<ClientStream>());
    ClientStream* stream = streams_.back().get();
    stream->opener = OpenCall(client_.get(), path, stream);
    stream->opener.Start();
    RunUntil([&] { return stream->call != nullptr; });
    return stream;
  }
  ClientStream* OpenLogs() { return Open(PathOf("ArrowLogsService", "ArrowLogs")); }

  void Send(ClientStream* stream, std::string message) {
    runtime::Task<bool> write = stream->call->Write(std::move(message));
    write.Start();
    RunUntil([&] { return write.is_done(); });
  }

  testing::ExporterScript& sink() { return harness_->sink(); }

  const engine::NodeDescriptor descriptor_ = WatchedDescriptor();
  std::unique_ptr<testing::PipelineHarness> harness_;
  std::unique_ptr<runtime::grpc::Client> client_;
  std::vector<std::unique_ptr<ClientStream>> streams_;
  otap_wire::Producer producer_{Signal::kLogs};
};

TEST_F(OtapReceiverTest, RecordedStreamsAreAnsweredBatchByBatch) {
  Start();
  const std::filesystem::path folder =
      std::filesystem::path(OTAP_SOURCE_DIR) / "examples/data/wire/corner";
  const std::vector<std::pair<std::string, std::string>> services = {
      {"logs", PathOf("ArrowLogsService", "ArrowLogs")},
      {"traces", PathOf("ArrowTracesService", "ArrowTraces")},
      {"metrics", PathOf("ArrowMetricsService", "ArrowMetrics")}};
  for (const auto& [signal, path] : services) {
    std::vector<std::string> messages;
    ASSERT_TRUE(df::otlp::VisitRequests((folder / (signal + ".arrowstream")).string(),
                                        [&](std::string_view message) {
                                          messages.emplace_back(message);
                                          return Status::OK();
                                        })
                    .ok());
    ASSERT_FALSE(messages.empty());
    const size_t before = sink().taken.size();
    ClientStream* stream = Open(path);
    for (const std::string& message : messages) {
      Send(stream, message);
    }
    stream->call->FinishWrites();
    RunUntil([&] { return stream->has_ended; });
    EXPECT_TRUE(stream->call->status().ok()) << stream->call->status().ToString();
    EXPECT_EQ(stream->answers.size(), messages.size());
    for (const BatchStatus& answer : stream->answers) {
      EXPECT_EQ(answer.code, StatusCode::kOk) << answer.message;
    }
    EXPECT_EQ(sink().taken.size(), before + messages.size());
  }
}

TEST_F(OtapReceiverTest, OtherMethodsAreUnknown) {
  Start();
  for (const std::string& path : {PathOf("ArrowLogsService", "ArrowTraces"), std::string("/x/y")}) {
    ClientStream* stream = Open(path);
    RunUntil([&] { return stream->has_ended; });
    EXPECT_EQ(stream->call->status().code, Code::kUnimplemented);
  }
}

TEST_F(OtapReceiverTest, StreamsBeyondTheLimitAreRefusedAndCounted) {
  Start(", max_streams: 1");
  ClientStream* first = OpenLogs();
  Send(first, producer_.Produce(testing::SmallLogs(2), 1).ValueOrDie());
  RunUntil([&] { return first->answers.size() == 1; });
  ClientStream* second = OpenLogs();
  RunUntil([&] { return second->has_ended; });
  EXPECT_EQ(second->call->status().code, Code::kUnavailable);
  harness_->instance().Collect();
  EXPECT_EQ(harness_->metric("source", "df.receiver.otap.streams.refused"), 1);
  EXPECT_EQ(harness_->metric("source", "df.receiver.otap.connections", {{"outcome", "accepted"}}),
            1);
}

TEST_F(OtapReceiverTest, AMessageThatIsTooLargeEndsItsStreamOnly) {
  Start(", max_decoding_message_size: 4 KiB");
  ClientStream* other = OpenLogs();
  ClientStream* stream = OpenLogs();
  runtime::Task<bool> write = stream->call->Write(std::string(100'000, '\0'));
  write.Start();
  RunUntil([&] { return stream->has_ended; });
  EXPECT_EQ(stream->call->status().code, Code::kResourceExhausted);
  Send(other, producer_.Produce(testing::SmallLogs(2), 5).ValueOrDie());
  RunUntil([&] { return other->answers.size() == 1; });
  EXPECT_EQ(other->answers[0].batch_id, 5);
}

TEST_F(OtapReceiverTest, AMalformedMessageEndsItsStreamWithTheReason) {
  Start();
  ClientStream* stream = OpenLogs();
  Send(stream, "\xff\xff\xff");
  RunUntil([&] { return stream->has_ended; });
  EXPECT_EQ(stream->call->status().code, Code::kInvalidArgument);
  EXPECT_THAT(stream->call->status().message, HasSubstr("BatchArrowRecords"));
}

TEST_F(OtapReceiverTest, ADrainAnswersWhatIsInFlightAndEndsTheStreams) {
  Start();
  sink().holds = true;
  ClientStream* stream = OpenLogs();
  Send(stream, producer_.Produce(testing::SmallLogs(2), 1).ValueOrDie());
  RunUntil([&] { return sink().taken.size() == 1; });
  harness_->RequestDrain();
  harness_->RunUntilIdle();
  EXPECT_FALSE(harness_->has_ended());
  sink().Answer(0, engine::Outcome::Ack());
  RunUntil([&] { return harness_->has_ended(); });
  RunUntil([&] { return stream->has_ended; });
  ASSERT_EQ(stream->answers.size(), 1u);
  EXPECT_EQ(stream->answers[0].code, StatusCode::kOk);
  EXPECT_EQ(stream->call->status().code, Code::kUnavailable);
}

TEST_F(OtapReceiverTest, SeveralCoresNeedAPortThatAllCanListenAt) {
  engine::PipelineInstance::Options options;
  options.num_instances = 2;
  const testing::PipelineHarness harness(R"(
      nodes:
        source: {kind: receiver, plugin_urn: "urn:otel:otap:receiver",
                 config: {listening_addr: "127.0.0.1:0"},
                 out_ports: {out: {destinations: [sink]}}}
        sink: {kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"})",
                                         {&descriptor_}, options);
  ASSERT_FALSE(harness.status().ok());
  EXPECT_THAT(harness.status().message(), HasSubstr("expected a port above 0"));
}

TEST_F(OtapReceiverTest, AnAddressOfAnotherMachineEndsThePipelineAndIsNamed) {
  testing::PipelineHarness harness(R"(
      nodes:
        source: {kind: receiver, plugin_urn: "urn:otel:otap:receiver",
                 config: {listening_addr: "192.0.2.1:1"},
                 out_ports: {out: {destinations: [sink]}}}
        sink: {kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"})",
                                   {&descriptor_});
  ASSERT_TRUE(harness.status().ok()) << harness.status();
  harness.RunUntilIdle();
  ASSERT_TRUE(harness.has_ended());
  const engine::InstanceResult result = harness.TakeResult();
  ASSERT_EQ(result.errors.size(), 1u);
  EXPECT_THAT(result.errors[0], HasSubstr("192.0.2.1"));
}

}  // namespace
}  // namespace df::nodes::receivers::otap
