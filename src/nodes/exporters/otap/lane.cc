#include "nodes/exporters/otap/lane.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"

namespace df::nodes::exporters::otap {
namespace {

using otap_wire::StatusCode;

constexpr telemetry::Instrument kInFlight = {telemetry::InstrumentKind::kUpDownCounter,
                                             "df.exporter.otap.in_flight", "{batch}",
                                             "Batches that have no answer yet"};
constexpr telemetry::Instrument kStreamsOpened = {telemetry::InstrumentKind::kCounter,
                                                  "df.exporter.otap.streams.opened", "{stream}",
                                                  "Streams to servers that were opened"};
constexpr telemetry::Instrument kSentBytes = {telemetry::InstrumentKind::kCounter,
                                              "df.exporter.otap.sent.size", "By",
                                              "Bytes of the messages that were sent"};
constexpr telemetry::Instrument kOrphans = {
    telemetry::InstrumentKind::kCounter, "df.exporter.otap.orphans", "{row}",
    "Rows left out because their parent was not in their batch"};
constexpr telemetry::Instrument kUnknownAnswers = {
    telemetry::InstrumentKind::kCounter, "df.exporter.otap.unknown_answers", "{answer}",
    "Answers to batches that were not in flight, or no longer"};
constexpr telemetry::Instrument kLatency = {telemetry::InstrumentKind::kHistogram,
                                            "df.exporter.otap.answer.latency", "s",
                                            "Time from writing a batch until its answer"};
constexpr telemetry::Instrument kFailures = {telemetry::InstrumentKind::kCounter,
                                             "df.exporter.otap.failures", "{batch}",
                                             "Batches that were nacked", "reason"};
constexpr telemetry::Instrument kAnswers = {telemetry::InstrumentKind::kCounter,
                                            "df.exporter.otap.answers", "{batch}",
                                            "Answers of servers, by status", "code"};

constexpr std::array<std::string_view, kNumFailures> kFailureNames = {
    "encoding", "no_stream", "stream_ended", "timeout", "answer", "stopped"};

/// Whether the same batch is refused again, whoever asks.
bool IsPermanent(StatusCode code) {
  switch (code) {
    case StatusCode::kInvalidArgument:
    case StatusCode::kPermissionDenied:
    case StatusCode::kUnauthenticated:
    case StatusCode::kInternal:
      return true;
    default:
      return false;
  }
}

}  // namespace

LaneMetrics::LaneMetrics(telemetry::MetricSet* metric_set)
    : set(metric_set),
      in_flight(&set->AddGauge(kInFlight)),
      streams_opened(&set->AddCounter(kStreamsOpened)),
      sent_bytes(&set->AddCounter(kSentBytes)),
      orphans(&set->AddCounter(kOrphans)),
      unknown_answers(&set->AddCounter(kUnknownAnswers)),
      latency(&set->AddHistogram(kLatency)) {
  for (size_t i = 0; i < kNumFailures; ++i) {
    failures[i] = &set->AddCounter(kFailures, {{"reason", std::string(kFailureNames[i])}});
  }
}

void LaneMetrics::CountAnswer(StatusCode code) {
  telemetry::Counter*& counter = answers[code];
  if (counter == nullptr) {
    counter = &set->AddCounter(kAnswers, {{"code", std::string(otap_wire::Name(code))}});
  }
  counter->Add(1);
}

struct Lane::OpenStream {
  OpenStream(std::unique_ptr<ClientStream> open, df::otap::Signal signal,
             const otap_wire::ProducerOptions& options, runtime::SteadyTime now)
      : stream(std::move(open)), producer(signal, options), opened_at(now) {}

  std::unique_ptr<ClientStream> stream;
  otap_wire::Producer producer;
  runtime::SteadyTime opened_at;
  int64_t next_batch_id = 0;
  std::map<int64_t, InFlight> in_flight;  // the oldest first
  bool is_finished = false;               // we send no more
  bool has_ended = false;                 // nothing is in flight any more
  runtime::Task<> reader;                 // goes before the stream
};

Lane::Lane(df::otap::Signal signal, const LaneSettings& settings, StreamOpener* opener,
           runtime::EventLoop* loop, LaneMetrics* metrics)
    : signal_(signal),
      settings_(settings),
      opener_(opener),
      loop_(loop),
      metrics_(metrics),
      changed_(loop),
      timer_(loop, [this] { OnTimer(); }) {}

Lane::~Lane() { metrics_->in_flight->Add(-num_in_flight_); }

runtime::Task<> Lane::Send(engine::Pdata pdata) {
  while (num_in_flight_ >= settings_.max_in_flight && stop_reason_.empty()) {
    co_await changed_.Wait();
  }
  Status problem;
  OpenStream* open = stop_reason_.empty() ? co_await CurrentStream(&problem) : nullptr;
  if (!stop_reason_.empty()) {
    Fail(std::move(pdata.token), Failure::kStopped, stop_reason_, false);
    co_return;
  }
  if (open == nullptr) {
    Fail(std::move(pdata.token), Failure::kNoStream, problem.message(), false);
    co_return;
  }
  const int64_t batch_id = open->next_batch_id++;
  const int64_t orphans_before = open->producer.stats().orphans_dropped;
  Result<std::string> message = open->producer.Produce(pdata.batch, batch_id);
  metrics_->orphans->Add(open->producer.stats().orphans_dropped - orphans_before);
  if (!message.ok()) {
    Fail(std::move(pdata.token), Failure::kEncoding, message.status().message(), true);
    co_return;
  }
  metrics_->sent_bytes->Add(static_cast<int64_t>(message->size()));
  // Before it is written: the answer may come while the rest of it is.
  InFlight& entry = open->in_flight[batch_id];
  entry.token = std::move(pdata.token);
  entry.sent_at = loop_->clock().Now();
  SetInFlight(1);
  ArmTimer();
  pdata.batch.reset();
  const bool is_written = co_await open->stream->Write(*std::move(message));
  if (!is_written) {
    // The reader ends it: answers that came before the end stand in front of it.
    open->is_finished = true;
  }
}

/// Returns the stream to write to, opened if need be, or null and the reason.
runtime::Task<Lane::OpenStream*> Lane::CurrentStream(Status* problem) {
  RetireOld();
  if (!streams_.empty() && !streams_.back()->is_finished) {
    co_return streams_.back().get();
  }
  Result<std::unique_ptr<ClientStream>> stream = co_await opener_->Open(signal_);
  if (!stream.ok()) {
    *problem = stream.status();
    co_return nullptr;
  }
  metrics_->streams_opened->Add(1);
  auto open = std::make_unique<OpenStream>(*std::move(stream), signal_, settings_.producer,
                                           loop_->clock().Now());
  open->reader = ReadAnswers(open.get());
  streams_.push_back(std::move(open));
  OpenStream* newest = streams_.back().get();
  newest->reader.Start();
  co_return newest;
}

/// Ends streams that are old enough, and forgets those that have nothing to say any more.
void Lane::RetireOld() {
  std::erase_if(streams_, [](const auto& open) { return open->has_ended; });
  if (streams_.empty() || streams_.back()->is_finished ||
      settings_.max_stream_lifetime == std::chrono::nanoseconds(0) ||
      loop_->clock().Now() < streams_.back()->opened_at + settings_.max_stream_lifetime) {
    return;
  }
  // A server that has answered everything on an older one and still does not end it is not waited
  // for any longer.
  std::erase_if(streams_,
                [](const auto& open) { return open->is_finished && open->in_flight.empty(); });
  FinishStreams();
}

runtime::Task<> Lane::ReadAnswers(OpenStream* open) {
  std::string reason = "the server ended the stream";
  while (true) {
    const Result<std::optional<std::string>> message = co_await open->stream->Read();
    if (!message.ok()) {
      reason = message.status().message();
      break;
    }
    if (!message->has_value()) {
      break;
    }
    const auto status = otap_wire::ReadBatchStatus(**message);
    if (!status.ok()) {
      reason = status.status().message();
      break;
    }
    OnAnswer(open, *status);
  }
  End(open, reason);
}

void Lane::OnAnswer(OpenStream* open, const otap_wire::BatchStatus& status) {
  metrics_->CountAnswer(status.code);
  const auto entry = open->in_flight.find(status.batch_id);
  if (entry == open->in_flight.end()) {
    metrics_->unknown_answers->Add(1);
    return;
  }
  metrics_->latency->Record((loop_->clock().Now() - entry->second.sent_at).count());
  engine::CompletionToken token = std::move(entry->second.token);
  open->in_flight.erase(entry);
  SetInFlight(-1);
  if (status.code == StatusCode::kOk) {
    token.Ack();
    return;
  }
  Fail(std::move(token), Failure::kAnswer,
       fmt::format("{}: {}", otap_wire::Name(status.code), status.message),
       IsPermanent(status.code));
}

/// A stream that has ended stays where it is until the next Send: its reader may be what calls.
void Lane::End(OpenStream* open, const std::string& reason) {
  open->has_ended = true;
  if (!std::exchange(open->is_finished, true)) {
    open->stream->Finish();
  }
  FailAll(open, Failure::kStreamEnded, reason);
}

void Lane::FailAll(OpenStream* open, Failure failure, const std::string& reason) {
  auto in_flight = std::exchange(open->in_flight, {});
  SetInFlight(-static_cast<int64_t>(in_flight.size()));
  for (auto& [batch_id, entry] : in_flight) {
    Fail(std::move(entry.token), failure, reason, false);
  }
}

void Lane::Fail(engine::CompletionToken token, Failure failure, const std::string& reason,
                bool is_permanent) {
  metrics_->failures[static_cast<size_t>(failure)]->Add(1);
  if (++num_failed_ == 1) {
    first_failure_ = fmt::format("{}: {}", df::otap::Name(signal_), reason);
  }
  num_refused_ += is_permanent ? 1 : 0;
  LogDebug("otap exporter: a batch of {} was not delivered: {}", df::otap::Name(signal_), reason);
  token.Nack(reason, is_permanent);
}

void Lane::SetInFlight(int64_t change) {
  num_in_flight_ += change;
  metrics_->in_flight->Add(change);
  changed_.Notify();
}

void Lane::ArmTimer() {
  if (!settings_.timeout.has_value()) {
    return;
  }
  std::optional<runtime::SteadyTime> oldest;
  for (const auto& open : streams_) {
    if (!open->in_flight.empty()) {
      const runtime::SteadyTime sent_at = open->in_flight.begin()->second.sent_at;
      oldest = oldest.has_value() ? std::min(*oldest, sent_at) : sent_at;
    }
  }
  if (oldest.has_value()) {
    timer_.StartAt(*oldest + *settings_.timeout);
  }
}

void Lane::OnTimer() {
  const runtime::SteadyTime late = loop_->clock().Now() - *settings_.timeout;
  for (const auto& open : streams_) {
    while (!open->in_flight.empty() && open->in_flight.begin()->second.sent_at <= late) {
      engine::CompletionToken token = std::move(open->in_flight.begin()->second.token);
      open->in_flight.erase(open->in_flight.begin());
      SetInFlight(-1);
      Fail(std::move(token), Failure::kTimeout, "no answer in time", false);
    }
  }
  ArmTimer();
}

runtime::Task<> Lane::WaitForAnswers() {
  while (num_in_flight_ > 0) {
    co_await changed_.Wait();
  }
}

void Lane::FinishStreams() {
  for (const auto& open : streams_) {
    if (!std::exchange(open->is_finished, true)) {
      open->stream->Finish();
    }
  }
}

runtime::Task<> Lane::WaitForEnds(runtime::SteadyTime deadline) {
  runtime::Timer at_deadline(loop_, [this] { changed_.Notify(); });
  at_deadline.StartAt(deadline);
  while (loop_->clock().Now() < deadline &&
         !std::all_of(streams_.begin(), streams_.end(),
                      [](const auto& open) { return open->has_ended; })) {
    co_await changed_.Wait();
  }
}

void Lane::GiveUp(const std::string& reason) {
  stop_reason_ = reason;
  for (const auto& open : streams_) {
    FailAll(open.get(), Failure::kStopped, reason);
  }
  FinishStreams();
  changed_.Notify();
}

}  // namespace df::nodes::exporters::otap
