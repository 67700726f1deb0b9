#include "nodes/receivers/otap/stream_service.h"

#include <fmt/format.h>

#include "base/logging.h"

namespace df::nodes::receivers::otap {
namespace {

using otap_wire::StatusCode;

constexpr telemetry::Instrument kStreams = {telemetry::InstrumentKind::kUpDownCounter,
                                            "df.receiver.otap.streams", "{stream}",
                                            "Streams of clients that are open"};
constexpr telemetry::Instrument kAnswers = {telemetry::InstrumentKind::kCounter,
                                            "df.receiver.otap.answers", "{batch}",
                                            "Batches that were answered, by status", "code"};
constexpr telemetry::Instrument kRejections = {
    telemetry::InstrumentKind::kCounter, "df.receiver.otap.rejections", "{message}",
    "Messages refused before the pipeline saw them", "reason"};
constexpr telemetry::Instrument kLateOutcomes = {
    telemetry::InstrumentKind::kCounter, "df.receiver.otap.late_outcomes", "{batch}",
    "Batches whose outcome came after their time-out or after their stream had ended"};
constexpr telemetry::Instrument kOrphans = {
    telemetry::InstrumentKind::kCounter, "df.receiver.otap.orphans", "{row}",
    "Rows left out because their parent was not in their batch"};
constexpr telemetry::Instrument kMisplaced = {
    telemetry::InstrumentKind::kCounter, "df.receiver.otap.misplaced", "{datapoint}",
    "Data points left out because their metric has no place for them"};
constexpr telemetry::Instrument kUnknownCodes = {
    telemetry::InstrumentKind::kCounter, "df.receiver.otap.codes.unknown", "{row}",
    "Types of values and metrics that are not known: OTLP has them empty"};
constexpr telemetry::Instrument kUnknownFields = {
    telemetry::InstrumentKind::kCounter, "df.receiver.otap.fields.unknown", "{field}",
    "Fields of messages that are not known, left out"};
constexpr telemetry::Instrument kReceivedBytes = {telemetry::InstrumentKind::kCounter,
                                                  "df.receiver.otap.received.size", "By",
                                                  "Bytes of the messages that came"};

constexpr std::array<std::string_view, 4> kRejectionNames = {"malformed", "invalid", "memory",
                                                             "unreadable"};

StatusCode CodeOf(const engine::Outcome& outcome) {
  if (outcome.is_ack) {
    return StatusCode::kOk;
  }
  return outcome.is_permanent ? StatusCode::kInternal : StatusCode::kUnavailable;
}

}  // namespace

struct StreamService::Session : std::enable_shared_from_this<StreamService::Session> {
  Session(df::otap::Signal stream_signal, const otap_wire::ConsumerLimits& limits,
          runtime::EventLoop* loop)
      : signal(stream_signal), consumer(stream_signal, limits), changed(loop), room(loop) {}

  df::otap::Signal signal;
  otap_wire::Consumer consumer;
  std::deque<otap_wire::BatchStatus> answers;  // to be written
  int64_t num_in_flight = 0;
  StreamEnd end;
  bool is_in_read = false;
  bool has_read_all = false;
  runtime::Wakeup changed;  // for the writer
  runtime::Wakeup room;     // for the reader
  runtime::Task<> reader;   // goes first
};

/// A session is known for as long as Serve lives, however that ends.
class StreamService::Registration {
 public:
  Registration(StreamService* service, Session* session) : service_(service), session_(session) {
    service_->sessions_.insert(session_);
    service_->streams_->Add(1);
  }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;
  ~Registration() {
    service_->sessions_.erase(session_);
    service_->streams_->Add(-1);
  }

 private:
  StreamService* service_;
  Session* session_;
};

StreamService::StreamService(const ServiceSettings& settings, engine::Effects* effects)
    : settings_(settings),
      effects_(effects),
      is_idle_(&effects->loop()),
      timer_(&effects->loop(), [this] { OnTimer(); }) {
  telemetry::MetricSet& metrics = effects->metrics();
  streams_ = &metrics.AddGauge(kStreams);
  late_outcomes_ = &metrics.AddCounter(kLateOutcomes);
  orphans_ = &metrics.AddCounter(kOrphans);
  misplaced_ = &metrics.AddCounter(kMisplaced);
  unknown_codes_ = &metrics.AddCounter(kUnknownCodes);
  unknown_fields_ = &metrics.AddCounter(kUnknownFields);
  received_bytes_ = &metrics.AddCounter(kReceivedBytes);
  for (size_t i = 0; i < kNumRejections; ++i) {
    rejections_[i] =
        &metrics.AddCounter(kRejections, {{"reason", std::string(kRejectionNames[i])}});
  }
}

StreamService::~StreamService() = default;

runtime::Task<StreamEnd> StreamService::Serve(df::otap::Signal signal, MessageStream* stream) {
  StreamEnd end{StatusCode::kUnavailable, "the receiver is stopping"};
  if (is_stopping_) {
    co_return end;
  }
  const auto session = std::make_shared<Session>(signal, settings_.limits, &effects_->loop());
  const Registration registration(this, session.get());
  session->reader = ReadAll(session.get(), stream);
  session->reader.Start();
  while (true) {
    while (!session->answers.empty()) {
      std::string answer = otap_wire::WriteBatchStatus(session->answers.front());
      session->answers.pop_front();
      session->room.Notify();
      if (!co_await stream->Write(std::move(answer))) {
        session->reader = runtime::Task<>();
        co_return session->end;
      }
    }
    if (session->has_read_all && session->num_in_flight == 0) {
      break;
    }
    co_await session->changed.Wait();
  }
  co_return session->end;
}

runtime::Task<> StreamService::ReadAll(Session* session, MessageStream* stream) {
  while (!is_stopping_) {
    session->is_in_read = true;
    Result<std::optional<std::string>> message = co_await stream->Read();
    session->is_in_read = false;
    if (!message.ok()) {
      Reject(session, Rejection::kUnreadable, message.status().message());
      session->end = {StatusCode::kInvalidArgument, message.status().message()};
      break;
    }
    if (!message->has_value()) {
      break;
    }
    received_bytes_->Add(static_cast<int64_t>((*message)->size()));
    if (!co_await Take(session, *std::move(*message))) {
      break;
    }
    while (!HasRoom(*session) && !is_stopping_) {
      co_await session->room.Wait();
    }
  }
  if (is_stopping_) {
    session->end = {StatusCode::kUnavailable, "the receiver is stopping"};
  }
  session->has_read_all = true;
  session->changed.Notify();
}

void StreamService::CountLosses(const otap_wire::ConsumerStats& before,
                                const otap_wire::ConsumerStats& after) {
  const int64_t num_orphans = after.orphans_dropped - before.orphans_dropped;
  const int64_t num_misplaced = after.points_dropped - before.points_dropped;
  const int64_t num_codes = after.unknown_codes - before.unknown_codes;
  if ((num_misplaced > 0 && num_misplaced_ == 0) || (num_codes > 0 && num_unknown_codes_ == 0)) {
    LogWarning(
        "node '{}': {} data points that their metric has no place for were left out, and {} "
        "types of values and metrics are not known; further ones are counted",
        effects_->info().node, num_misplaced, num_codes);
  }
  orphans_->Add(num_orphans);
  misplaced_->Add(num_misplaced);
  unknown_codes_->Add(num_codes);
  num_orphans_ += num_orphans;
  num_misplaced_ += num_misplaced;
  num_unknown_codes_ += num_codes;
}

/// Returns false when nothing more can be read after this message.
runtime::Task<bool> StreamService::Take(Session* session, std::string bytes) {
  const auto message = otap_wire::ReadBatchArrowRecords(bytes);
  if (!message.ok()) {
    Reject(session, Rejection::kMalformed, message.status().message());
    session->end = {StatusCode::kInvalidArgument, message.status().message()};
    co_return false;
  }
  const int64_t batch_id = message->batch_id;
  // What is refused below is read first: later messages build on its dictionaries.
  const otap_wire::ConsumerStats before = session->consumer.stats();
  Result<df::otap::BatchPtr> batch = session->consumer.Consume(*message);
  CountLosses(before, session->consumer.stats());
  if (message->num_unknown_fields > 0 && num_unknown_fields_ == 0) {
    LogWarning("node '{}': {}; further ones are counted", effects_->info().node,
               message->first_unknown_field);
  }
  unknown_fields_->Add(message->num_unknown_fields);
  num_unknown_fields_ += message->num_unknown_fields;
  if (!batch.ok()) {
    const std::string& reason = batch.status().message();
    const bool has_failed = session->consumer.is_failed();
    Reject(session, has_failed ? Rejection::kMalformed : Rejection::kInvalid, reason);
    Answer(session, batch_id, StatusCode::kInvalidArgument, reason);
    if (has_failed) {
      session->end = {StatusCode::kInvalidArgument, reason};
    }
    co_return !has_failed;
  }
  if ((*batch)->num_root_rows() == 0) {
    Answer(session, batch_id, StatusCode::kOk, "");
  } else if (effects_->memory_pressure() == engine::MemoryPressure::kHard) {
    const std::string reason = "the memory of the pipeline is used up";
    Reject(session, Rejection::kMemory, reason);
    Answer(session, batch_id, StatusCode::kResourceExhausted, reason);
  } else {
    co_await SendOn(session, batch_id, *std::move(batch));
  }
  co_return true;
}

runtime::Task<> StreamService::SendOn(Session* session, int64_t batch_id,
                                      df::otap::BatchPtr batch) {
  ++num_batches_;
  if (!settings_.wait_for_result) {
    engine::Pdata pdata(std::move(batch), effects_->MakeToken(this, 0));
    const bool is_sent = co_await effects_->Send(std::move(pdata));
    Answer(session, batch_id, is_sent ? StatusCode::kOk : StatusCode::kUnavailable,
           is_sent ? "" : "the pipeline takes nothing any more");
    co_return;
  }
  const uint64_t calldata = next_calldata_++;
  InFlight& entry = in_flight_[calldata];
  entry.session = session->weak_from_this();
  entry.batch_id = batch_id;
  if (settings_.timeout.has_value()) {
    entry.deadline = effects_->clock().Now() + *settings_.timeout;
    ArmTimer();
  }
  ++session->num_in_flight;
  engine::Pdata pdata(std::move(batch), effects_->MakeAwaitedToken(this, calldata));
  co_await effects_->Send(std::move(pdata));
}

void StreamService::OnOutcome(const engine::Outcome& outcome, uint64_t calldata) {
  if (calldata == 0) {
    if (!outcome.is_ack && ++num_lost_ == 1) {
      first_lost_ = outcome.reason;
    }
    return;
  }
  const auto entry = in_flight_.find(calldata);
  if (entry == in_flight_.end()) {
    late_outcomes_->Add(1);
    return;
  }
  Close(entry, CodeOf(outcome), outcome.reason);
}

void StreamService::Close(std::map<uint64_t, InFlight>::iterator entry, StatusCode code,
                          const std::string& message) {
  const std::shared_ptr<Session> session = entry->second.session.lock();
  const int64_t batch_id = entry->second.batch_id;
  const bool was_full = static_cast<int64_t>(in_flight_.size()) >= settings_.max_in_flight;
  in_flight_.erase(entry);
  if (session == nullptr) {
    late_outcomes_->Add(1);
  } else {
    --session->num_in_flight;
    Answer(session.get(), batch_id, code, message);
    session->room.Notify();
  }
  if (was_full) {
    for (Session* other : sessions_) {
      other->room.Notify();
    }
  }
  if (in_flight_.empty()) {
    is_idle_.Notify();
  }
}

void StreamService::Answer(Session* session, int64_t batch_id, StatusCode code,
                           std::string message) {
  otap_wire::BatchStatus status{batch_id, code, std::move(message)};
  session->answers.push_back(std::move(status));
  session->changed.Notify();
  AnswersOf(code)->Add(1);
}

void StreamService::Reject(Session* session, Rejection rejection, const std::string& reason) {
  rejections_[static_cast<size_t>(rejection)]->Add(1);
  if (++num_rejected_ == 1) {
    first_rejection_ = fmt::format("{}: {}", df::otap::Name(session->signal), reason);
  }
  LogEvent(LogLevel::kWarning, "df.receiver.otap.rejected", reason,
           {{"signal", std::string(df::otap::Name(session->signal))},
            {"reason", std::string(kRejectionNames[static_cast<size_t>(rejection)])}});
}

void StreamService::AddTo(engine::NodeReport* report) const {
  report->lines.push_back(
      fmt::format("took {} batches, refused {} messages", num_batches_, num_rejected_));
  if (num_rejected_ > 0) {
    report->lines.push_back(fmt::format("the first: {}", first_rejection_));
  }
  if (num_lost_ > 0) {
    report->lines.push_back(
        fmt::format("{} batches were refused after their clients had been told that they were "
                    "taken; the first: {}",
                    num_lost_, first_lost_));
  }
  if (num_orphans_ > 0) {
    report->lines.push_back(
        fmt::format("left out {} rows whose parent was not in their batch", num_orphans_));
  }
  if (num_misplaced_ > 0) {
    report->lines.push_back(
        fmt::format("left out {} data points that their metric has no place for", num_misplaced_));
  }
  if (num_unknown_codes_ > 0) {
    report->lines.push_back(fmt::format(
        "{} types of values and metrics are not known: OTLP has them empty", num_unknown_codes_));
  }
  if (num_unknown_fields_ > 0) {
    report->lines.push_back(
        fmt::format("left out {} fields of messages that are not known", num_unknown_fields_));
  }
  report->num_problems +=
      num_lost_ + num_orphans_ + num_misplaced_ + num_unknown_codes_ + num_unknown_fields_;
}

telemetry::Counter* StreamService::AnswersOf(StatusCode code) {
  telemetry::Counter*& counter = answers_[code];
  if (counter == nullptr) {
    counter =
        &effects_->metrics().AddCounter(kAnswers, {{"code", std::string(otap_wire::Name(code))}});
  }
  return counter;
}

/// Answers that a client does not take count like batches without one.
bool StreamService::HasRoom(const Session& session) const {
  return session.num_in_flight + std::ssize(session.answers) < settings_.max_in_flight_per_stream &&
         static_cast<int64_t>(in_flight_.size()) < settings_.max_in_flight;
}

void StreamService::ArmTimer() {
  if (settings_.timeout.has_value() && !in_flight_.empty()) {
    timer_.StartAt(in_flight_.begin()->second.deadline);
  }
}

void StreamService::OnTimer() {
  while (!in_flight_.empty() && in_flight_.begin()->second.deadline <= effects_->clock().Now()) {
    Close(in_flight_.begin(), StatusCode::kDeadlineExceeded,
          fmt::format(
              "no outcome within {} ms",
              std::chrono::duration_cast<std::chrono::milliseconds>(*settings_.timeout).count()));
  }
  ArmTimer();
}

void StreamService::StopReading() {
  is_stopping_ = true;
  for (Session* session : sessions_) {
    if (session->is_in_read) {
      session->reader = runtime::Task<>();
      session->is_in_read = false;
      session->has_read_all = true;
      session->end = {StatusCode::kUnavailable, "the receiver is stopping"};
      session->changed.Notify();
    }
    session->room.Notify();
  }
}

runtime::Task<> StreamService::WaitForAnswers(runtime::SteadyTime deadline) {
  runtime::Timer at_deadline(&effects_->loop(), [this] { is_idle_.Notify(); });
  at_deadline.StartAt(deadline);
  while (!in_flight_.empty() && effects_->clock().Now() < deadline) {
    co_await is_idle_.Wait();
  }
  while (!in_flight_.empty()) {
    Close(in_flight_.begin(), StatusCode::kUnavailable, "the receiver is stopping");
  }
}

}  // namespace df::nodes::receivers::otap
