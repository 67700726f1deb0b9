#include "nodes/exporters/otlp_grpc/otlp_grpc_exporter.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "nodes/exporters/otlp_grpc/call_outcome.h"
#include "otlp/export_response.h"
#include "telemetry/metric_set.h"

namespace df::nodes::exporters::otlp_grpc {
namespace {

using runtime::grpc::Code;
using telemetry::InstrumentKind;

constexpr telemetry::Instrument kRequests = {InstrumentKind::kCounter,
                                             "df.exporter.otlp_grpc.requests", "{request}",
                                             "Export calls that have ended", "status"};
constexpr telemetry::Instrument kRequestBytes = {
    InstrumentKind::kCounter, "df.exporter.otlp_grpc.request.size", "By",
    "Bytes of the requests that were sent, before compression"};
constexpr telemetry::Instrument kDuration = {InstrumentKind::kHistogram,
                                             "df.exporter.otlp_grpc.request.duration", "s",
                                             "Time from sending a request to its answer"};
constexpr telemetry::Instrument kInFlight = {InstrumentKind::kUpDownCounter,
                                             "df.exporter.otlp_grpc.in_flight", "{request}",
                                             "Export calls under way"};
constexpr telemetry::Instrument kRejected = {
    InstrumentKind::kCounter, "df.exporter.otlp_grpc.items.rejected", "{item}",
    "Items that the server has refused while it took the rest of their request"};
constexpr telemetry::Instrument kTooLarge = {InstrumentKind::kCounter,
                                             "df.exporter.otlp_grpc.items.too_large", "{item}",
                                             "Items that the server does not take for their size"};
constexpr telemetry::Instrument kRefusedSizes = {
    InstrumentKind::kCounter, "df.exporter.otlp_grpc.requests.cut", "{request}",
    "Requests that the server did not take for their size, sent again in parts"};
constexpr telemetry::Instrument kConnections = {InstrumentKind::kUpDownCounter,
                                                "df.exporter.otlp_grpc.connections", "{connection}",
                                                "Connections that are there"};

// What is asked for beyond it is asked for again by the server's next answer.
constexpr std::chrono::minutes kLongestPause{5};
// Before the end of a drain: time for senders to hear what became of their batches.
constexpr std::chrono::seconds kDrainMargin{1};
constexpr char kGivenUp[] = "the pipeline ends, and the server has not answered";

}  // namespace

Status OtlpGrpcExporter::Start(engine::Effects& effects) {
  effects_ = &effects;
  changed_.emplace(&effects.loop());
  for (int64_t i = 0; i < config_->num_connections; ++i) {
    clients_.push_back(std::make_unique<runtime::grpc::Client>(&effects.loop(), settings_));
  }
  telemetry::MetricSet& metrics = effects.metrics();
  RequestsOf(Code::kOk);
  request_bytes_ = &metrics.AddCounter(kRequestBytes);
  duration_ = &metrics.AddHistogram(kDuration);
  in_flight_ = &metrics.AddGauge(kInFlight);
  rejected_ = &metrics.AddCounter(kRejected);
  cut_ = &metrics.AddCounter(kRefusedSizes);
  connections_ = &metrics.AddGauge(kConnections);
  limit_.emplace(config_->max_request_bytes);
  too_large_.emplace(effects.info().node, &metrics.AddCounter(kTooLarge));
  give_up_timer_.emplace(&effects.loop(), [this] { GiveUp(); });
  on_drain_.emplace(&effects.drain(), [this] { OnDrain(); });
  return Status::OK();
}

telemetry::Counter& OtlpGrpcExporter::RequestsOf(Code code) {
  telemetry::Counter*& counter = requests_[code];
  if (counter == nullptr) {
    const telemetry::Attributes attributes = {{"status", std::string(runtime::grpc::Name(code))}};
    counter = &effects_->metrics().AddCounter(kRequests, attributes);
  }
  return *counter;
}

runtime::Task<Status> OtlpGrpcExporter::Export(engine::Pdata pdata, engine::Effects& effects) {
  co_await WaitForTurn(effects);
  if (has_given_up_) {
    CountFailure(kGivenUp, /*is_permanent=*/false);
    pdata.token.Nack(kGivenUp, /*is_permanent=*/false);
    co_return Status::OK();
  }
  ForgetEndedCalls();
  Call& call = calls_.emplace_back(std::move(pdata), delivery::Destination{&*limit_, &*too_large_});
  call.task = Deliver(&call);
  call.task.Start();
  co_return Status::OK();
}

runtime::Task<void> OtlpGrpcExporter::WaitForTurn(engine::Effects& effects) {
  do {
    while (num_in_flight_ >= config_->max_in_flight) {
      co_await changed_->Wait();
    }
    co_await WaitForPause(effects);
  } while (num_in_flight_ >= config_->max_in_flight);
}

runtime::Task<void> OtlpGrpcExporter::WaitForPause(engine::Effects& effects) {
  while (true) {
    const runtime::SteadyTime now = effects.clock().Now();
    // A drain that ends before the pause leaves one attempt only.
    const auto deadline = effects.drain_deadline();
    const bool has_time = !deadline.has_value() || pause_end_ < *deadline;
    if (pause_end_ <= now || !has_time) {
      co_return;
    }
    runtime::Cancellation* interruption = effects.is_draining() ? nullptr : &effects.drain();
    co_await effects.loop().SleepUntil(pause_end_, interruption);
  }
}

runtime::Task<void> OtlpGrpcExporter::Deliver(Call* call) {
  ++num_in_flight_;
  in_flight_->Set(num_in_flight_);
  std::optional<engine::Outcome> outcome;
  while (!outcome.has_value() && call->sender.Next()) {
    co_await WaitForPause(*effects_);
    std::string body = std::move(call->sender.request().body);
    request_bytes_->Add(static_cast<int64_t>(body.size()));
    runtime::grpc::Client& client = *clients_[next_client_];
    next_client_ = (next_client_ + 1) % clients_.size();
    const runtime::SteadyTime begin = effects_->clock().Now();
    std::string path(PathOf(call->sender.signal()));
    const runtime::grpc::UnaryAnswer answer =
        co_await client.Call(std::move(path), std::move(body), begin + config_->timeout);
    duration_->Record((effects_->clock().Now() - begin).count());
    outcome = TakeAnswer(call, answer);
  }
  EndCall(call, outcome.has_value() ? *outcome : call->sender.Finish());
}

std::optional<engine::Outcome> OtlpGrpcExporter::TakeAnswer(
    Call* call, const runtime::grpc::UnaryAnswer& answer) {
  const runtime::grpc::CallStatus& status = answer.status;
  delivery::BatchSender& sender = call->sender;
  RequestsOf(status.code).Add(1);
  if (status.ok()) {
    ++num_delivered_;
    const otlp::PartialSuccess partial = ReadPartialSuccess(sender.signal(), answer.message);
    sender.Deliver(partial.rejected_items, partial.message);
    return std::nullopt;
  }
  LogDebug("{}: {}", config_->grpc_endpoint, status.ToString());
  if (const auto refusal = delivery::FindSizeRefusal(status); refusal.has_value()) {
    cut_->Add(sender.request().can_be_cut ? 1 : 0);
    sender.RefuseAsTooLarge(*refusal, status.ToString());
    return std::nullopt;
  }
  if (delivery::MayBeSizeRefusal(status) && sender.TryInParts()) {
    cut_->Add(1);
    return std::nullopt;
  }
  if (status.retry_delay.has_value() && IsRetryable(status)) {
    const auto pause = std::min<std::chrono::nanoseconds>(*status.retry_delay, kLongestPause);
    pause_end_ = std::max(pause_end_, effects_->clock().Now() + pause);
  }
  if (IsRetryable(status)) {
    return sender.Stop(status.ToString());
  }
  sender.RefuseForGood(status.ToString());
  return std::nullopt;
}

void OtlpGrpcExporter::EndCall(Call* call, const engine::Outcome& outcome) {
  --num_in_flight_;
  in_flight_->Set(num_in_flight_);
  changed_->NotifyAll();
  stats_ += call->sender.stats();
  if (!outcome.is_ack) {
    CountFailure(outcome.reason, outcome.is_permanent);
  }
  if (outcome.partial != nullptr) {
    num_refused_items_ += outcome.partial->num_refused;
  }
  // Its memory is free with its outcome, not when the call is forgotten.
  engine::Pdata pdata = std::move(call->pdata);
  pdata.token.Complete(outcome);
}

void OtlpGrpcExporter::CountFailure(const std::string& reason, bool is_permanent) {
  ++num_failed_;
  num_refused_ += is_permanent ? 1 : 0;
  if (first_failure_.empty()) {
    first_failure_ = reason;
  }
}

otlp::PartialSuccess OtlpGrpcExporter::ReadPartialSuccess(otap::Signal signal,
                                                          const std::string& response) {
  const auto partial = otlp::ReadExportResponse(signal, otlp::Encoding::kProtobuf, response);
  if (!partial.ok()) {
    LogWarning("{} has taken a request and given an answer that cannot be read: {}",
               config_->grpc_endpoint, partial.status().message());
    return {};
  }
  if (partial->rejected_items > 0) {
    rejected_->Add(partial->rejected_items);
    num_rejected_items_ += partial->rejected_items;
    if (first_rejection_.empty()) {
      first_rejection_ = partial->message;
    }
  }
  if (partial->rejected_items > 0 || !partial->message.empty()) {
    LogWarning("{} has refused {} items of a request of {}: {}", config_->grpc_endpoint,
               partial->rejected_items, otap::Name(signal), partial->message);
  }
  return *partial;
}

void OtlpGrpcExporter::ForgetEndedCalls() {
  calls_.remove_if([](const Call& call) { return call.task.is_done(); });
}

runtime::Task<Status> OtlpGrpcExporter::OnTimer(engine::TimerId, engine::Effects&) {
  co_return Status::OK();
}

runtime::Task<Status> OtlpGrpcExporter::Finish(engine::Effects&) {
  while (num_in_flight_ > 0) {
    co_await changed_->Wait();
  }
  calls_.clear();
  co_return Status::OK();
}

void OtlpGrpcExporter::OnDrain() {
  const runtime::SteadyTime now = effects_->clock().Now();
  const runtime::SteadyTime end = effects_->drain_deadline().value_or(now);
  give_up_timer_->StartAt(end - std::min<std::chrono::nanoseconds>(kDrainMargin, (end - now) / 8));
}

void OtlpGrpcExporter::GiveUp() {
  has_given_up_ = true;
  CancelCalls();
}

void OtlpGrpcExporter::CancelCalls() {
  for (Call& call : calls_) {
    if (!call.task.is_done()) {
      call.task = runtime::Task<void>();  // destroyed where it waits: the server hears of it
      RequestsOf(Code::kCancelled).Add(1);
      EndCall(&call, call.sender.Stop(kGivenUp));
    }
  }
}

void OtlpGrpcExporter::OnCollect() {
  connections_->Set(std::count_if(clients_.begin(), clients_.end(),
                                  [](const auto& client) { return client->is_connected(); }));
}

engine::NodeReport OtlpGrpcExporter::Report() {
  engine::NodeReport report;
  report.lines.push_back(
      fmt::format("delivered {} requests to {}", num_delivered_, config_->grpc_endpoint));
  if (num_failed_ > 0) {
    report.lines.push_back(fmt::format("{} calls failed, {} of them permanently; the first: {}",
                                       num_failed_, num_refused_, first_failure_));
  }
  if (num_rejected_items_ > 0) {
    report.lines.push_back(fmt::format("the server refused {} items of requests that it took; {}",
                                       num_rejected_items_, first_rejection_));
  }
  for (const auto& [count, what] :
       {std::pair(stats_.invalid_values, "values that cannot be read, sent empty"),
        std::pair(stats_.unknown_types, "values of unknown type, sent empty"),
        std::pair(stats_.unknown_metrics, "metrics of unknown type, sent without data"),
        std::pair(stats_.unreachable_points, "data points without metric, not sent")}) {
    if (count > 0) {
      report.lines.push_back(fmt::format("altered: {} {}", count, what));
      report.num_problems += count;
    }
  }
  if (too_large_.has_value()) {
    too_large_->AppendTo(&report.lines);
  }
  report.num_problems += num_refused_items_ + num_refused_;
  return report;
}

}  // namespace df::nodes::exporters::otlp_grpc
