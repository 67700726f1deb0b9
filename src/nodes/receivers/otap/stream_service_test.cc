// Streams in memory through a pipeline with simulated time.
#include "nodes/receivers/otap/stream_service.h"

#include <deque>
#include <memory>
#include <random>

#include <arrow/api.h>
#include <arrow/compute/initialize.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/writer.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/node_registry.h"
#include "otap_wire/producer.h"
#include "testing/naive_join.h"
#include "testing/pipeline_harness.h"
#include "testing/random_batch.h"

namespace df::nodes::receivers::otap {
namespace {

using df::otap::BatchPtr;
using df::otap::Signal;
using otap_wire::BatchStatus;
using otap_wire::StatusCode;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

/// What a client sends and hears.
class FakeStream final : public MessageStream {
 public:
  explicit FakeStream(runtime::EventLoop* loop) : changed_(loop), taken_(loop) {}

  runtime::Task<Result<std::optional<std::string>>> Read() override {
    while (messages.empty() && !is_complete && !is_broken) {
      co_await changed_.Wait();
    }
    if (is_broken) {
      co_return Status::IOError("reset by the client");
    }
    if (messages.empty()) {
      co_return std::optional<std::string>();
    }
    std::optional<std::string> message(std::move(messages.front()));
    messages.pop_front();
    ++num_read;
    co_return message;
  }

  runtime::Task<bool> Write(std::string message) override {
    while (!takes_answers && !is_broken) {
      co_await taken_.Wait();
    }
    if (is_broken) {
      co_return false;
    }
    answers.push_back(otap_wire::ReadBatchStatus(message).ValueOrDie());
    co_return true;
  }

  void Send(std::string message) {
    messages.push_back(std::move(message));
    changed_.Notify();
  }
  void Complete() {
    is_complete = true;
    changed_.Notify();
  }
  void Break() {
    is_broken = true;
    changed_.Notify();
    taken_.Notify();
  }
  void TakeAnswers() {
    takes_answers = true;
    taken_.Notify();
  }

  std::deque<std::string> messages;
  bool is_complete = false;
  bool is_broken = false;
  bool takes_answers = true;
  int64_t num_read = 0;
  std::vector<BatchStatus> answers;
  std::optional<StreamEnd> end;
  runtime::Task<> task;

 private:
  runtime::Wakeup changed_;
  runtime::Wakeup taken_;
};

/// What the tests and the receiver below share.
struct ServiceProbe : engine::NodeShared {
  ServiceSettings settings;
  std::unique_ptr<StreamService> service;
};

/// Serves the streams that a test makes.
class ProbeReceiver final : public engine::Receiver {
 public:
  explicit ProbeReceiver(std::shared_ptr<ServiceProbe> probe) : probe_(std::move(probe)) {}

  runtime::Task<Status> Run(engine::Effects& effects) override {
    probe_->service = std::make_unique<StreamService>(probe_->settings, &effects);
    bool is_draining = false;
    while (!is_draining) {
      is_draining = !co_await effects.SleepFor(std::chrono::hours(1));
    }
    probe_->service->StopReading();
    co_await probe_->service->WaitForAnswers(effects.clock().Now() + seconds(2));
    co_return Status::OK();
  }
  engine::NodeReport Report() override { return {}; }

 private:
  std::shared_ptr<ServiceProbe> probe_;
};

struct NoConfig : engine::NodeConfig {};
std::shared_ptr<ServiceProbe> probe;  // of the test that runs

const engine::NodeDescriptor kProbeDescriptor = {
    .urn = "urn:otel:receiver:test_streams",
    .kind = engine::NodeKind::kReceiver,
    .summary = "serves streams of a test",
    .fields = [] { return std::vector<config::FieldDescription>(); },
    .parse = [](const config::Section&, const engine::ValidateContext&) -> engine::NodeConfigPtr {
      return std::make_shared<const NoConfig>();
    },
    .make_receiver = [](const engine::NodeConfigPtr&, const engine::NodeSharedPtr&,
                        const engine::InstanceInfo&) -> Result<std::unique_ptr<engine::Receiver>> {
      return std::make_unique<ProbeReceiver>(probe);
    },
};

constexpr std::string_view kDocument = R"(
  nodes:
    source: {kind: receiver, plugin_urn: "urn:otel:receiver:test_streams",
             out_ports: {out: {destinations: [sink]}}}
    sink: {kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"})";

class StreamServiceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }

  void SetUp() override { probe = std::make_shared<ServiceProbe>(); }
  void TearDown() override {
    streams_.clear();
    if (harness_ != nullptr) {
      harness_->Destroy();
    }
    probe = nullptr;
  }

  void Start() {
    harness_ =
        std::make_unique<testing::PipelineHarness>(kDocument, std::vector{&kProbeDescriptor});
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->RunUntilIdle();
  }

  FakeStream* Open(Signal signal = Signal::kLogs) {
    streams_.push_back(std::make_unique<FakeStream>(&harness_->loop()));
    FakeStream* stream = streams_.back().get();
    stream->task = Serve(signal, stream);
    stream->task.Start();
    harness_->RunUntilIdle();
    return stream;
  }

  static runtime::Task<> Serve(Signal signal, FakeStream* stream) {
    stream->end = co_await probe->service->Serve(signal, stream);
  }

  std::string Message(int64_t batch_id, const BatchPtr& batch = testing::SmallLogs(3)) {
    return producer_.Produce(batch, batch_id).ValueOrDie();
  }

  void Send(FakeStream* stream, std::string message) {
    stream->Send(std::move(message));
    harness_->RunUntilIdle();
  }

  testing::ExporterScript& sink() { return harness_->sink(); }
  void Answer(size_t index, const engine::Outcome& outcome) {
    sink().Answer(index, outcome);
    harness_->RunUntilIdle();
  }

  std::unique_ptr<testing::PipelineHarness> harness_;
  std::vector<std::unique_ptr<FakeStream>> streams_;
  otap_wire::Producer producer_{Signal::kLogs};
};

TEST_F(StreamServiceTest, BatchesArriveAsTheyWereSent) {
  Start();
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  testing::RandomEngine rng(seed);
  for (const Signal signal : df::otap::kAllSignals) {
    FakeStream* stream = Open(signal);
    otap_wire::Producer producer(signal);
    const auto batches = testing::RandomBatches(5, signal, {}, rng);
    const size_t before = sink().taken.size();
    for (size_t i = 0; i < batches.size(); ++i) {
      Send(stream, producer.Produce(batches[i], static_cast<int64_t>(i)).ValueOrDie());
    }
    ASSERT_EQ(sink().taken.size(), before + batches.size());
    for (size_t i = 0; i < batches.size(); ++i) {
      EXPECT_EQ(testing::CanonicalRecords({sink().taken[before + i]}),
                testing::CanonicalRecords({batches[i]}));
    }
    ASSERT_EQ(stream->answers.size(), batches.size());
  }
}

TEST_F(StreamServiceTest, AnswersSayWhatBecameOfEachBatchInAnyOrder) {
  Start();
  sink().holds = true;
  FakeStream* stream = Open();
  for (int64_t i = 0; i < 3; ++i) {
    Send(stream, Message(i));
  }
  EXPECT_TRUE(stream->answers.empty());
  Answer(2, engine::Outcome::Nack("too bad", true));
  Answer(0, engine::Outcome::Nack("not now", false));
  Answer(0, engine::Outcome::Ack());
  ASSERT_EQ(stream->answers.size(), 3u);
  EXPECT_EQ(stream->answers[0].batch_id, 2);
  EXPECT_EQ(stream->answers[0].code, StatusCode::kInternal);
  EXPECT_EQ(stream->answers[0].message, "too bad");
  EXPECT_EQ(stream->answers[1].batch_id, 0);
  EXPECT_EQ(stream->answers[1].code, StatusCode::kUnavailable);
  EXPECT_EQ(stream->answers[2].batch_id, 1);
  EXPECT_EQ(stream->answers[2].code, StatusCode::kOk);
}

TEST_F(StreamServiceTest, WithoutWaitingAnAnswerFollowsTheQueue) {
  probe->settings.wait_for_result = false;
  Start();
  sink().holds = true;
  FakeStream* stream = Open();
  Send(stream, Message(7));
  ASSERT_EQ(stream->answers.size(), 1u);
  EXPECT_EQ(stream->answers[0].batch_id, 7);
  EXPECT_EQ(stream->answers[0].code, StatusCode::kOk);
  Answer(0, engine::Outcome::Nack("later", true));
  EXPECT_EQ(stream->answers.size(), 1u);
  // Its client believes that all went well: the report is who says that it did not.
  engine::NodeReport report;
  probe->service->AddTo(&report);
  EXPECT_EQ(report.num_problems, 1);
  EXPECT_THAT(report.lines, ::testing::Contains(HasSubstr("taken; the first: later")));
}

TEST_F(StreamServiceTest, FieldsOfMessagesThatAreNotKnownAreCounted) {
  Start();
  FakeStream* stream = Open();
  Send(stream, Message(7) + "\x7a\x01x\x78\x01");
  Send(stream, Message(8) + "\x78\x01");
  ASSERT_EQ(stream->answers.size(), 2u);
  EXPECT_EQ(stream->answers[1].code, StatusCode::kOk);
  engine::NodeReport report;
  probe->service->AddTo(&report);
  EXPECT_EQ(report.num_problems, 3);
  EXPECT_THAT(report.lines, ::testing::Contains(HasSubstr("3 fields of messages")));
}

TEST_F(StreamServiceTest, AStreamWithTooMuchInFlightIsNotRead) {
  probe->settings.max_in_flight_per_stream = 2;
  Start();
  sink().holds = true;
  FakeStream* stream = Open();
  for (int64_t i = 0; i < 5; ++i) {
    Send(stream, Message(i));
  }
  EXPECT_EQ(stream->num_read, 2);
  Answer(0, engine::Outcome::Ack());
  EXPECT_EQ(stream->num_read, 3);
}

TEST_F(StreamServiceTest, AClientThatDoesNotTakeItsAnswersIsNotRead) {
  Start();
  FakeStream* stream = Open();
  stream->takes_answers = false;
  for (int64_t i = 0; i < 100; ++i) {
    Send(stream, Message(i));
  }
  EXPECT_LE(stream->num_read, probe->settings.max_in_flight_per_stream + 2);
  stream->TakeAnswers();
  harness_->RunUntilIdle();
  EXPECT_EQ(stream->answers.size(), 100u);
}

TEST_F(StreamServiceTest, TheLimitOfAllStreamsHoldsForTheirSum) {
  probe->settings.max_in_flight = 2;
  Start();
  sink().holds = true;
  FakeStream* first = Open();
  FakeStream* second = Open();
  otap_wire::Producer other(Signal::kLogs);
  Send(first, Message(0));
  Send(first, Message(1));
  Send(second, other.Produce(testing::SmallLogs(1), 0).ValueOrDie());
  Send(second, other.Produce(testing::SmallLogs(1), 1).ValueOrDie());
  EXPECT_EQ(first->num_read, 2);
  EXPECT_EQ(second->num_read, 1);  // it was waiting in a read
  Answer(0, engine::Outcome::Ack());
  Answer(0, engine::Outcome::Ack());
  EXPECT_EQ(second->num_read, 2);
}

/// A message with one column that the model lacks.
std::string InvalidMessage(int64_t batch_id, const std::string& schema_id) {
  arrow::StringBuilder colours;
  EXPECT_TRUE(colours.Append("red").ok());
  const auto table = arrow::RecordBatch::Make(
      arrow::schema({arrow::field("colour", arrow::utf8())}), 1, {colours.Finish().ValueOrDie()});
  const auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
  const auto writer = arrow::ipc::MakeStreamWriter(sink, table->schema()).ValueOrDie();
  EXPECT_TRUE(writer->WriteRecordBatch(*table).ok());
  const std::string record = sink->Finish().ValueOrDie()->ToString();
  return otap_wire::WriteBatchArrowRecords({batch_id, {{schema_id, 30, record}}, {}});
}

TEST_F(StreamServiceTest, ABatchThatIsOnlyInvalidIsAnsweredAndItsStreamGoesOn) {
  Start();
  FakeStream* stream = Open();
  Send(stream, InvalidMessage(3, "x"));
  ASSERT_EQ(stream->answers.size(), 1u);
  EXPECT_EQ(stream->answers[0].batch_id, 3);
  EXPECT_EQ(stream->answers[0].code, StatusCode::kInvalidArgument);
  EXPECT_THAT(stream->answers[0].message, HasSubstr("colour"));
  Send(stream, Message(4));
  ASSERT_EQ(stream->answers.size(), 2u);
  EXPECT_EQ(stream->answers[1].code, StatusCode::kOk);
  EXPECT_FALSE(stream->end.has_value());
  EXPECT_EQ(harness_->metric("source", "df.receiver.otap.rejections", {{"reason", "invalid"}}), 1);
}

TEST_F(StreamServiceTest, APayloadOfAnotherSignalIsAnsweredAndEndsItsStream) {
  Start();
  FakeStream* stream = Open(Signal::kTraces);
  Send(stream, Message(1));
  ASSERT_EQ(stream->answers.size(), 1u);
  EXPECT_EQ(stream->answers[0].code, StatusCode::kInvalidArgument);
  EXPECT_THAT(stream->answers[0].message, HasSubstr("logs"));
  ASSERT_TRUE(stream->end.has_value());  // its dictionaries were not read
  EXPECT_EQ(stream->end->code, StatusCode::kInvalidArgument);
  EXPECT_EQ(harness_->metric("source", "df.receiver.otap.rejections", {{"reason", "malformed"}}),
            1);
}

TEST_F(StreamServiceTest, MalformedBytesEndTheStreamAfterWhatCameBefore) {
  Start();
  sink().holds = true;
  FakeStream* stream = Open();
  FakeStream* other = Open();
  Send(stream, Message(1));
  Send(stream, "\xff\xff");
  EXPECT_FALSE(stream->end.has_value());
  Answer(0, engine::Outcome::Ack());
  ASSERT_EQ(stream->answers.size(), 1u);
  EXPECT_EQ(stream->answers[0].code, StatusCode::kOk);
  ASSERT_TRUE(stream->end.has_value());
  EXPECT_EQ(stream->end->code, StatusCode::kInvalidArgument);
  EXPECT_FALSE(other->end.has_value());
}

TEST_F(StreamServiceTest, ABatchWithoutOutcomeInTimeIsAnswered) {
  probe->settings.timeout = seconds(5);
  Start();
  sink().holds = true;
  FakeStream* stream = Open();
  Send(stream, Message(1));
  harness_->Advance(seconds(3));
  Send(stream, Message(2));
  harness_->Advance(seconds(2));
  ASSERT_EQ(stream->answers.size(), 1u);
  EXPECT_EQ(stream->answers[0].batch_id, 1);
  EXPECT_EQ(stream->answers[0].code, StatusCode::kDeadlineExceeded);
  Answer(0, engine::Outcome::Ack());
  EXPECT_EQ(stream->answers.size(), 1u);
  EXPECT_EQ(harness_->metric("source", "df.receiver.otap.late_outcomes"), 1);
  harness_->Advance(seconds(3));
  EXPECT_EQ(stream->answers.size(), 2u);
}

TEST_F(StreamServiceTest, AClosedStreamIsLeftAndItsOutcomesAreCounted) {
  Start();
  sink().holds = true;
  FakeStream* stream = Open();
  Send(stream, Message(1));
  stream->Break();
  harness_->RunUntilIdle();
  Answer(0, engine::Outcome::Ack());
  ASSERT_TRUE(stream->end.has_value());
  EXPECT_TRUE(stream->answers.empty());
  EXPECT_EQ(harness_->metric("source", "df.receiver.otap.streams"), 0);
}

TEST_F(StreamServiceTest, AServerThatGoesLeavesNothingBehind) {
  Start();
  sink().holds = true;
  FakeStream* waiting = Open();
  Send(waiting, Message(1));
  Open();
  streams_.clear();  // as when the listener is destroyed
  Answer(0, engine::Outcome::Ack());
  EXPECT_EQ(harness_->metric("source", "df.receiver.otap.late_outcomes"), 1);
  EXPECT_EQ(harness_->metric("source", "df.receiver.otap.streams"), 0);
}

TEST_F(StreamServiceTest, ACompleteStreamEndsWhenEverythingIsAnswered) {
  Start();
  sink().holds = true;
  FakeStream* stream = Open();
  Send(stream, Message(1));
  stream->Complete();
  harness_->RunUntilIdle();
  EXPECT_FALSE(stream->end.has_value());
  Answer(0, engine::Outcome::Ack());
  ASSERT_TRUE(stream->end.has_value());
  EXPECT_EQ(stream->end->code, StatusCode::kOk);
  EXPECT_EQ(stream->answers.size(), 1u);
}

TEST_F(StreamServiceTest, ADrainWaitsForOutcomesAndThenNoLonger) {
  Start();
  sink().holds = true;
  FakeStream* stream = Open();
  FakeStream* idle = Open();
  Send(stream, Message(1));
  Send(stream, Message(2));
  harness_->RequestDrain();
  harness_->RunUntilIdle();
  ASSERT_TRUE(idle->end.has_value());
  EXPECT_EQ(idle->end->code, StatusCode::kUnavailable);
  Answer(0, engine::Outcome::Ack());
  EXPECT_FALSE(stream->end.has_value());
  harness_->Advance(seconds(2));
  ASSERT_EQ(stream->answers.size(), 2u);
  EXPECT_EQ(stream->answers[0].code, StatusCode::kOk);
  EXPECT_EQ(stream->answers[1].code, StatusCode::kUnavailable);
  ASSERT_TRUE(stream->end.has_value());
  FakeStream* late = Open();
  ASSERT_TRUE(late->end.has_value());
  EXPECT_EQ(late->end->code, StatusCode::kUnavailable);
}

TEST_F(StreamServiceTest, EmptyBatchesAreAnsweredWithoutBeingSentOn) {
  Start();
  FakeStream* stream = Open();
  Send(stream, otap_wire::WriteBatchArrowRecords({4, {}, {}}));
  ASSERT_EQ(stream->answers.size(), 1u);
  EXPECT_EQ(stream->answers[0].batch_id, 4);
  EXPECT_EQ(stream->answers[0].code, StatusCode::kOk);
  EXPECT_TRUE(sink().taken.empty());
}

}  // namespace
}  // namespace df::nodes::receivers::otap
