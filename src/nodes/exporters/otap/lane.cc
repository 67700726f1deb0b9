#include "nodes/exporters/otap/lane.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "delivery/table_cutter.h"
#include "otap/concat.h"

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
constexpr telemetry::Instrument kCut = {
    telemetry::InstrumentKind::kCounter, "df.exporter.otap.requests.cut", "{request}",
    "Messages that the server did not take for their size, sent again in parts"};
constexpr telemetry::Instrument kTooLarge = {telemetry::InstrumentKind::kCounter,
                                             "df.exporter.otap.items.too_large", "{item}",
                                             "Items that the server does not take for their size"};
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
      cut(&set->AddCounter(kCut)),
      too_large(&set->AddCounter(kTooLarge)),
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

Lane::Lane(df::otap::Signal signal, const LaneSettings& settings, delivery::Destination destination,
           StreamOpener* opener, runtime::EventLoop* loop, LaneMetrics* metrics)
    : signal_(signal),
      settings_(settings),
      destination_(destination),
      opener_(opener),
      loop_(loop),
      metrics_(metrics),
      changed_(loop),
      timer_(loop, [this] { OnTimer(); }),
      write_again_(loop, [this] { StartWriting(); }) {}

Lane::~Lane() { metrics_->in_flight->Add(-num_in_flight_); }

runtime::Task<> Lane::Send(engine::Pdata pdata) {
  while (num_in_flight_ >= settings_.max_in_flight && stop_reason_.empty()) {
    co_await changed_.Wait();
  }
  Part part;
  part.batch = pdata.batch;
  part.num_items = part.batch->num_items();
  part.delivery = std::make_shared<Delivery>(std::move(pdata));
  queue_.push_back(std::move(part));
  StartWriting();
  while (is_writing_ || !queue_.empty()) {
    co_await changed_.Wait();
  }
}

void Lane::StartWriting() {
  if (!is_writing_) {
    is_writing_ = true;
    writer_ = WriteAll();
    writer_.Start();
  }
}

bool Lane::MayWrite() const {
  const Delivery* delivery = queue_.front().delivery.get();
  const auto is_of_it = [delivery](const auto& entry) {
    return entry.second.part.delivery.get() == delivery;
  };
  return num_in_flight_ < settings_.max_in_flight &&
         (!delivery->is_probing || std::none_of(
                                       streams_.begin(), streams_.end(),
                                       [&is_of_it](const auto& open) {
                                         return std::any_of(open->in_flight.begin(),
                                                            open->in_flight.end(), is_of_it);
                                       }));
}

runtime::Task<> Lane::WriteAll() {
  while (!queue_.empty()) {
    if (!MayWrite() && stop_reason_.empty()) {
      co_await changed_.Wait();
      continue;
    }
    Status problem;
    OpenStream* open = stop_reason_.empty() ? co_await CurrentStream(&problem) : nullptr;
    if (!stop_reason_.empty() || queue_.empty()) {
      FailQueue(Failure::kStopped, stop_reason_);
      break;
    }
    Part part = std::move(queue_.front());
    queue_.pop_front();
    if (open == nullptr) {
      Postpone(part, Failure::kNoStream, problem.message());
      continue;
    }
    const int64_t batch_id = open->next_batch_id;
    std::optional<std::string> message = Produce(open, &part);
    if (!message.has_value()) {
      continue;
    }
    ++open->next_batch_id;
    metrics_->sent_bytes->Add(part.message_bytes);
    if (part.message_bytes <= taken_bytes_ && !part.delivery->is_in_parts) {
      part.batch.reset();
      part.delivery->pdata.batch.reset();
      part.delivery->pdata.charge.Release();
    }
    // Before it is written: the answer may come while the rest of it is.
    InFlight& entry = open->in_flight[batch_id];
    entry.part = std::move(part);
    entry.sent_at = loop_->clock().Now();
    SetInFlight(1);
    ArmTimer();
    const bool is_written = co_await open->stream->Write(*std::move(message));
    if (!is_written) {
      // The reader ends it: answers that came before the end stand in front of it.
      open->is_finished = true;
    }
  }
  is_writing_ = false;
  changed_.NotifyAll();
}

bool Lane::Cut(const Part& part) {
  const int64_t max_bytes = std::min(part.delivery->max_bytes, destination_.limit->bytes());
  const auto batches = delivery::CutTables(part.batch, part.message_bytes, max_bytes);
  if (!batches.ok() || batches->size() < 2) {
    return false;
  }
  part.delivery->num_open += static_cast<int64_t>(batches->size()) - 1;
  part.delivery->is_in_parts = true;
  for (auto batch = batches->rbegin(); batch != batches->rend(); ++batch) {
    Part piece;
    piece.delivery = part.delivery;
    piece.batch = *batch;
    piece.num_items = (*batch)->num_items();
    queue_.push_front(std::move(piece));
  }
  return true;
}

std::optional<std::string> Lane::Produce(OpenStream* open, Part* part) {
  // What is a little larger by the estimate may fit.
  constexpr double kTolerance = 1.5;
  const int64_t max_bytes = std::min(part->delivery->max_bytes, destination_.limit->bytes());
  const bool can_be_cut = delivery::CanBeCut(*part->batch);
  if (part->message_bytes == 0) {
    const double expected = bytes_per_item_ * static_cast<double>(part->num_items);
    if (expected > kTolerance * static_cast<double>(max_bytes)) {
      part->message_bytes = static_cast<int64_t>(expected);
    }
  }
  if (can_be_cut && part->message_bytes > max_bytes && Cut(*part)) {
    return std::nullopt;
  }
  const int64_t orphans_before = open->producer.stats().orphans_dropped;
  Result<std::string> message = open->producer.Produce(part->batch, open->next_batch_id);
  if (!message.ok()) {
    Refuse(*part, Failure::kEncoding, message.status().message());
    return std::nullopt;
  }
  part->message_bytes = static_cast<int64_t>(message->size());
  if (part->message_bytes > max_bytes / 8 && part->num_items > 0) {
    bytes_per_item_ =
        static_cast<double>(part->message_bytes) / static_cast<double>(part->num_items);
  }
  if (can_be_cut && part->message_bytes > max_bytes && Cut(*part)) {
    open->producer.Discard();
    return std::nullopt;
  }
  if (!can_be_cut && part->message_bytes >= part->delivery->refused_bytes) {
    open->producer.Discard();
    RefuseRecord(*part, part->delivery->refused_reason);
    return std::nullopt;
  }
  metrics_->orphans->Add(open->producer.stats().orphans_dropped - orphans_before);
  return *std::move(message);
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
  const Part part = std::move(entry->second.part);
  open->in_flight.erase(entry);
  SetInFlight(-1);
  if (status.code == StatusCode::kOk) {
    Deliver(part);
    return;
  }
  const std::string reason = fmt::format("{}: {}", otap_wire::Name(status.code), status.message);
  const auto refusal = delivery::FindSizeRefusal(status.message);
  if (refusal.has_value() && part.batch != nullptr) {
    RefuseAsTooLarge(part, *refusal, reason);
  } else if (IsPermanent(status.code)) {
    Refuse(part, Failure::kAnswer, reason);
  } else {
    Postpone(part, Failure::kAnswer, reason);
  }
}

/// A stream that has ended stays where it is until the next Send: its reader may be what calls.
void Lane::End(OpenStream* open, const std::string& reason) {
  open->has_ended = true;
  if (!std::exchange(open->is_finished, true)) {
    open->stream->Finish();
  }
  const auto refusal = delivery::FindSizeRefusal(reason);
  if (refusal.has_value() && stop_reason_.empty()) {
    SendAgain(open, *refusal, reason);
  }
  FailAll(open, Failure::kStreamEnded, reason);
}

/// The server does not say which message it was: the largest, where it does not say the limit.
void Lane::SendAgain(OpenStream* open, const delivery::SizeRefusal& refusal,
                     const std::string& reason) {
  int64_t largest = 0;
  for (const auto& [batch_id, entry] : open->in_flight) {
    largest = std::max(largest, entry.part.message_bytes);
  }
  const int64_t too_large = refusal.max_bytes.has_value() && *refusal.max_bytes < largest
                                ? *refusal.max_bytes + 1
                                : largest;
  auto in_flight = std::exchange(open->in_flight, {});
  SetInFlight(-static_cast<int64_t>(in_flight.size()));
  // Backwards, as each goes to the front.
  for (auto entry = in_flight.rbegin(); entry != in_flight.rend(); ++entry) {
    Part& part = entry->second.part;
    if (part.batch == nullptr) {
      Postpone(part, Failure::kStreamEnded, reason);
    } else if (part.message_bytes >= too_large) {
      RefuseAsTooLarge(std::move(part), refusal, reason);
    } else {
      queue_.push_front(std::move(part));
    }
  }
  write_again_.StartAt(loop_->clock().Now());
}

void Lane::FailAll(OpenStream* open, Failure failure, const std::string& reason) {
  auto in_flight = std::exchange(open->in_flight, {});
  SetInFlight(-static_cast<int64_t>(in_flight.size()));
  for (auto& [batch_id, entry] : in_flight) {
    Postpone(entry.part, failure, reason);
  }
}

void Lane::FailQueue(Failure failure, const std::string& reason) {
  for (const Part& part : std::exchange(queue_, {})) {
    Postpone(part, failure, reason);
  }
}

void Lane::Deliver(const Part& part) {
  taken_bytes_ = std::max(taken_bytes_, part.message_bytes);
  part.delivery->tally.Deliver(part.num_items);
  part.delivery->is_probing = false;
  Settle(part.delivery.get());
}

void Lane::RefuseAsTooLarge(Part part, const delivery::SizeRefusal& refusal,
                            const std::string& reason) {
  const bool can_be_cut = delivery::CanBeCut(*part.batch);
  Delivery& delivery = *part.delivery;
  delivery.is_probing = true;
  delivery.max_bytes = std::min(
      delivery.max_bytes, destination_.limit->Refuse(refusal, part.message_bytes, can_be_cut));
  if (part.message_bytes < delivery.refused_bytes) {
    delivery.refused_bytes = part.message_bytes;
    delivery.refused_reason = reason;
  }
  if (!can_be_cut) {
    RefuseRecord(part, reason);
    return;
  }
  metrics_->cut->Add(1);
  queue_.push_front(std::move(part));
  // Not at once: what calls may be the reader of a stream that writing forgets.
  write_again_.StartAt(loop_->clock().Now());
}

void Lane::RefuseRecord(const Part& part, const std::string& reason) {
  const std::string name = delivery::NameOfRecord(*part.batch);
  destination_.too_large->Add(name, part.message_bytes, part.num_items, reason);
  Refuse(
      part, Failure::kAnswer,
      fmt::format("{} of {} bytes was refused as too large: {}", name, part.message_bytes, reason));
}

void Lane::Refuse(const Part& part, Failure failure, const std::string& reason) {
  part.delivery->tally.Refuse(part.num_items, reason);
  part.delivery->refused_as = failure;
  Settle(part.delivery.get());
}

void Lane::Postpone(const Part& part, Failure failure, const std::string& reason) {
  Delivery& delivery = *part.delivery;
  if (!delivery.postponed.has_value()) {
    delivery.postponed.emplace(failure, reason);
  }
  delivery.has_rest &= part.batch != nullptr;
  delivery.rest.push_back(part.batch);
  Settle(&delivery);
}

void Lane::Settle(Delivery* delivery) {
  if (--delivery->num_open > 0) {
    return;
  }
  df::otap::BatchPtr rest;
  if (delivery->postponed.has_value() && delivery->has_rest && delivery->tally.has_begun()) {
    rest = df::otap::Concat(delivery->rest).ValueOr(nullptr);
  }
  const engine::Outcome outcome =
      delivery->postponed.has_value()
          ? delivery->tally.Stop(delivery->postponed->second, std::move(rest))
          : delivery->tally.Finish();
  if (outcome.partial != nullptr) {
    num_refused_items_ += outcome.partial->num_refused;
  }
  if (!outcome.is_ack) {
    const Failure failure =
        delivery->postponed.has_value() ? delivery->postponed->first : delivery->refused_as;
    metrics_->failures[static_cast<size_t>(failure)]->Add(1);
    num_refused_ += outcome.is_permanent ? 1 : 0;
    if (++num_failed_ == 1) {
      first_failure_ = fmt::format("{}: {}", df::otap::Name(signal_), outcome.reason);
    }
    LogDebug("otap exporter: a batch of {} was not delivered: {}", df::otap::Name(signal_),
             outcome.reason);
  }
  // Its memory is free with its outcome.
  engine::Pdata pdata = std::move(delivery->pdata);
  delivery->rest.clear();
  pdata.token.Complete(outcome);
}

void Lane::SetInFlight(int64_t change) {
  num_in_flight_ += change;
  metrics_->in_flight->Add(change);
  changed_.NotifyAll();
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
      const Part part = std::move(open->in_flight.begin()->second.part);
      open->in_flight.erase(open->in_flight.begin());
      SetInFlight(-1);
      Postpone(part, Failure::kTimeout, "no answer in time");
    }
  }
  ArmTimer();
}

runtime::Task<> Lane::WaitForAnswers() {
  while (num_in_flight_ > 0 || is_writing_ || !queue_.empty()) {
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
  runtime::Timer at_deadline(loop_, [this] { changed_.NotifyAll(); });
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
  FailQueue(Failure::kStopped, reason);
  FinishStreams();
  changed_.NotifyAll();
}

}  // namespace df::nodes::exporters::otap
