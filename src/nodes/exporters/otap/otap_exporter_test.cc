// Batches over streams in memory, with a server of the test and simulated time.
#include "nodes/exporters/otap/otap_exporter.h"

#include <deque>
#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/node_registry.h"
#include "otap_wire/consumer.h"
#include "testing/naive_join.h"
#include "testing/pipeline_harness.h"
#include "testing/random_batch.h"

namespace df::nodes::exporters::otap {
namespace {

using df::otap::BatchPtr;
using df::otap::Signal;
using otap_wire::BatchStatus;
using otap_wire::StatusCode;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;

/// The other end of one stream. Owner: the test; the exporter has a handle of it.
struct FakeServerStream {
  FakeServerStream(runtime::EventLoop* loop, Signal stream_signal)
      : signal(stream_signal), changed(loop), writable(loop) {}

  void Answer(int64_t batch_id, StatusCode code, std::string message = {}) {
    BatchStatus status{batch_id, code, std::move(message)};
    answers.push_back(otap_wire::WriteBatchStatus(status));
    changed.Notify();
  }
  void End(Status status = Status::OK()) {
    end = std::move(status);
    changed.Notify();
    writable.Notify();
  }

  Signal signal;
  std::vector<std::string> messages;
  std::deque<std::string> answers;
  std::optional<Status> end;
  bool is_finished = false;
  bool is_destroyed = false;
  bool is_blocked = false;  // of writes
  runtime::Wakeup changed;
  runtime::Wakeup writable;
};

class FakeClientStream final : public ClientStream {
 public:
  explicit FakeClientStream(std::shared_ptr<FakeServerStream> server)
      : server_(std::move(server)) {}
  ~FakeClientStream() override { server_->is_destroyed = true; }

  runtime::Task<bool> Write(std::string message) override {
    while (server_->is_blocked && !server_->end.has_value()) {
      co_await server_->writable.Wait();
    }
    if (server_->end.has_value()) {
      co_return false;
    }
    server_->messages.push_back(std::move(message));
    co_return true;
  }
  runtime::Task<Result<std::optional<std::string>>> Read() override {
    while (server_->answers.empty() && !server_->end.has_value()) {
      co_await server_->changed.Wait();
    }
    if (!server_->answers.empty()) {
      std::optional<std::string> answer(std::move(server_->answers.front()));
      server_->answers.pop_front();
      co_return answer;
    }
    if (!server_->end->ok()) {
      co_return *server_->end;
    }
    co_return std::optional<std::string>();
  }
  void Finish() override { server_->is_finished = true; }

 private:
  std::shared_ptr<FakeServerStream> server_;
};

/// What the test knows of the server.
struct FakeServer {
  std::vector<std::shared_ptr<FakeServerStream>> streams;
  Status open_status;
  LaneSettings settings;
  int64_t streams_per_signal = 1;
};
std::shared_ptr<FakeServer> server;  // of the test that runs

class FakeOpener final : public StreamOpener {
 public:
  explicit FakeOpener(runtime::EventLoop* loop) : loop_(loop) {}

  runtime::Task<Result<std::unique_ptr<ClientStream>>> Open(Signal signal) override {
    if (!server->open_status.ok()) {
      co_return server->open_status;
    }
    server->streams.push_back(std::make_shared<FakeServerStream>(loop_, signal));
    std::unique_ptr<ClientStream> stream =
        std::make_unique<FakeClientStream>(server->streams.back());
    co_return stream;
  }

 private:
  runtime::EventLoop* loop_;
};

struct NoConfig : engine::NodeConfig {};

Result<std::unique_ptr<StreamOpener>> MakeFakeOpener(engine::Effects& effects) {
  return std::make_unique<FakeOpener>(&effects.loop());
}

const engine::NodeDescriptor kTestDescriptor = {
    .urn = "urn:otel:exporter:test_otap",
    .kind = engine::NodeKind::kExporter,
    .summary = "sends to a server of a test",
    .fields = [] { return std::vector<config::FieldDescription>(); },
    .parse = [](const config::Section&, const engine::ValidateContext&) -> engine::NodeConfigPtr {
      return std::make_shared<const NoConfig>();
    },
    .make_exporter = [](const engine::NodeConfigPtr&, const engine::NodeSharedPtr&,
                        const engine::InstanceInfo&) -> Result<std::unique_ptr<engine::Exporter>> {
      return std::make_unique<OtapExporter>(server->settings, server->streams_per_signal,
                                            MakeFakeOpener);
    },
};

constexpr std::string_view kDocument = R"(
  nodes:
    source: {kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
             out_ports: {out: {destinations: [sink]}}}
    sink: {kind: exporter, plugin_urn: "urn:otel:exporter:test_otap"})";

class OtapExporterTest : public ::testing::Test {
 protected:
  void SetUp() override { server = std::make_shared<FakeServer>(); }
  void TearDown() override {
    if (harness_ != nullptr) {
      harness_->Destroy();
    }
    server = nullptr;
  }

  void Start() {
    harness_ = std::make_unique<testing::PipelineHarness>(kDocument, std::vector{&kTestDescriptor});
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->source().ends_by_itself = false;
    harness_->RunUntilIdle();
  }
  void Send(const BatchPtr& batch = testing::SmallLogs(3)) {
    harness_->source().Send(batch);
    harness_->RunUntilIdle();
  }
  FakeServerStream& stream(size_t index = 0) { return *server->streams.at(index); }
  void Answer(int64_t batch_id, StatusCode code, size_t index = 0) {
    stream(index).Answer(batch_id, code, "said so");
    harness_->RunUntilIdle();
  }
  std::map<uint64_t, engine::Outcome>& outcomes() { return harness_->source().outcomes; }

  std::unique_ptr<testing::PipelineHarness> harness_;
};

TEST_F(OtapExporterTest, BatchesArriveAsTheyWereGiven) {
  Start();
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  testing::RandomEngine rng(seed);
  for (const Signal signal : df::otap::kAllSignals) {
    const auto batches = testing::RandomBatches(5, signal, {}, rng);
    for (const BatchPtr& batch : batches) {
      Send(batch);
    }
    FakeServerStream& last = *server->streams.back();
    ASSERT_EQ(last.signal, signal);
    ASSERT_EQ(last.messages.size(), batches.size());
    otap_wire::Consumer consumer(signal);
    for (size_t i = 0; i < batches.size(); ++i) {
      const auto read = consumer.Consume(last.messages[i]);
      ASSERT_TRUE(read.ok()) << read.status();
      EXPECT_EQ(testing::CanonicalRecords({*read}), testing::CanonicalRecords({batches[i]}));
      last.Answer(static_cast<int64_t>(i), StatusCode::kOk);
    }
    harness_->RunUntilIdle();
  }
  EXPECT_EQ(harness_->source().num_outcomes, 15);
  EXPECT_EQ(server->streams.size(), 3u);
}

TEST_F(OtapExporterTest, AnswersCompleteTheirBatchesInAnyOrder) {
  Start();
  for (int i = 0; i < 4; ++i) {
    Send();
  }
  EXPECT_TRUE(outcomes().empty());
  Answer(3, StatusCode::kOk);
  Answer(1, StatusCode::kInvalidArgument);
  Answer(0, StatusCode::kResourceExhausted);
  Answer(2, StatusCode::kUnavailable);
  ASSERT_EQ(outcomes().size(), 4u);
  EXPECT_TRUE(outcomes()[3].is_ack);
  EXPECT_TRUE(outcomes()[1].is_permanent);
  EXPECT_EQ(outcomes()[1].reason, "invalid_argument: said so");
  EXPECT_FALSE(outcomes()[0].is_permanent);
  EXPECT_FALSE(outcomes()[2].is_permanent);
  EXPECT_FALSE(outcomes()[2].is_ack);
}

TEST_F(OtapExporterTest, WhatAnEndedStreamHasNotAnsweredIsNackedForNow) {
  Start();
  Send();
  Send();
  Answer(0, StatusCode::kOk);
  stream().End();  // in order, as upstream does after a batch that it cannot read
  harness_->RunUntilIdle();
  ASSERT_EQ(outcomes().size(), 2u);
  EXPECT_TRUE(outcomes()[0].is_ack);
  EXPECT_FALSE(outcomes()[1].is_ack);
  EXPECT_FALSE(outcomes()[1].is_permanent);
  Send();
  ASSERT_EQ(server->streams.size(), 2u);
  otap_wire::Consumer consumer(Signal::kLogs);
  EXPECT_TRUE(consumer.Consume(stream(1).messages.at(0)).ok());  // schemas and all
  EXPECT_TRUE(stream(0).is_destroyed);
}

TEST_F(OtapExporterTest, AStreamThatBreaksWhileAMessageIsWrittenFailsIt) {
  Start();
  Send();
  stream().is_blocked = true;
  Send();
  stream().End(Status::IOError("connection reset"));
  harness_->RunUntilIdle();
  ASSERT_EQ(outcomes().size(), 2u);
  EXPECT_EQ(outcomes()[1].reason, "connection reset");
}

TEST_F(OtapExporterTest, NoStreamIsANackForNow) {
  server->open_status = Status::IOError("connection refused");
  Start();
  Send();
  ASSERT_EQ(outcomes().size(), 1u);
  EXPECT_FALSE(outcomes()[0].is_permanent);
  EXPECT_EQ(outcomes()[0].reason, "connection refused");
  server->open_status = Status::OK();
  Send();
  Answer(0, StatusCode::kOk);
  EXPECT_TRUE(outcomes()[1].is_ack);
}

TEST_F(OtapExporterTest, NoMoreIsSentThanMayBeInFlight) {
  server->settings.max_in_flight = 2;
  Start();
  for (int i = 0; i < 4; ++i) {
    Send();
  }
  EXPECT_EQ(stream().messages.size(), 2u);
  Answer(0, StatusCode::kOk);
  EXPECT_EQ(stream().messages.size(), 3u);
}

TEST_F(OtapExporterTest, ABatchGoesToTheStreamWithTheFewestInFlight) {
  server->streams_per_signal = 2;
  Start();
  for (int i = 0; i < 4; ++i) {
    Send();
  }
  ASSERT_EQ(server->streams.size(), 2u);
  EXPECT_EQ(stream(0).messages.size(), 2u);
  EXPECT_EQ(stream(1).messages.size(), 2u);
}

TEST_F(OtapExporterTest, AnOldStreamIsFinishedAndStillListenedTo) {
  server->settings.max_stream_lifetime = minutes(1);
  Start();
  Send();
  harness_->Advance(minutes(2));
  Send();
  ASSERT_EQ(server->streams.size(), 2u);
  EXPECT_TRUE(stream(0).is_finished);
  EXPECT_FALSE(stream(1).is_finished);
  Answer(0, StatusCode::kOk, 0);
  EXPECT_TRUE(outcomes()[0].is_ack);
  stream(0).End();
  harness_->RunUntilIdle();
  EXPECT_EQ(outcomes().size(), 1u);
  Send();
  EXPECT_TRUE(stream(0).is_destroyed);
  EXPECT_EQ(stream(1).messages.size(), 2u);
}

TEST_F(OtapExporterTest, ABatchWithoutAnswerInTimeIsNackedForNow) {
  server->settings.timeout = seconds(5);
  Start();
  Send();
  harness_->Advance(seconds(3));
  Send();
  harness_->Advance(seconds(2));
  ASSERT_EQ(outcomes().size(), 1u);
  EXPECT_FALSE(outcomes()[0].is_permanent);
  Answer(0, StatusCode::kOk);  // too late
  Answer(1, StatusCode::kOk);
  EXPECT_EQ(outcomes().size(), 2u);
  EXPECT_TRUE(outcomes()[1].is_ack);
  EXPECT_EQ(harness_->metric("sink", "df.exporter.otap.unknown_answers"), 1);
}

TEST_F(OtapExporterTest, AMalformedAnswerEndsTheStream) {
  Start();
  Send();
  stream().answers.push_back("\xff\xff");
  stream().changed.Notify();
  harness_->RunUntilIdle();
  ASSERT_EQ(outcomes().size(), 1u);
  EXPECT_FALSE(outcomes()[0].is_permanent);
  EXPECT_THAT(outcomes()[0].reason, HasSubstr("BatchStatus"));
}

TEST_F(OtapExporterTest, TheEndWaitsForAnswers) {
  Start();
  Send();
  harness_->source().End();
  harness_->RunUntilIdle();
  EXPECT_FALSE(harness_->has_ended());
  EXPECT_FALSE(stream().is_finished);
  Answer(0, StatusCode::kOk);
  EXPECT_TRUE(outcomes()[0].is_ack);
  EXPECT_TRUE(stream().is_finished);
  EXPECT_FALSE(harness_->has_ended());
  stream().End();
  harness_->RunUntilIdle();
  EXPECT_TRUE(harness_->has_ended());
}

TEST_F(OtapExporterTest, AServerThatDoesNotEndItsStreamIsNotWaitedForLong) {
  Start();
  Send();
  Answer(0, StatusCode::kOk);
  harness_->source().End();
  harness_->RunUntilIdle();
  EXPECT_FALSE(harness_->has_ended());
  harness_->Advance(seconds(1));
  EXPECT_TRUE(harness_->has_ended());
}

TEST_F(OtapExporterTest, ADrainNacksBeforeItIsForced) {
  server->settings.max_in_flight = 1;
  Start();
  Send();
  Send();  // waits for room
  harness_->RequestDrain();
  harness_->RunUntilIdle();
  EXPECT_TRUE(outcomes().empty());
  harness_->Advance(std::chrono::milliseconds(9500));  // of ten seconds
  stream().End();
  harness_->RunUntilIdle();
  EXPECT_TRUE(harness_->has_ended());
  const engine::InstanceResult result = harness_->TakeResult();
  EXPECT_FALSE(result.was_forced);
  ASSERT_EQ(outcomes().size(), 2u);
  EXPECT_FALSE(outcomes()[0].is_permanent);
  EXPECT_THAT(outcomes()[0].reason, HasSubstr("has not answered"));
}

}  // namespace
}  // namespace df::nodes::exporters::otap
