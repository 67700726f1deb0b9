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
  connections_ = &metrics.AddGauge(kConnections);
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

Result<std::string> OtlpGrpcExporter::Encode(const otap::Batch& batch) {
  if (const otap::EncodedRequest* request = batch.encoded(); request != nullptr) {
    return request->bytes->ToString();
  }
  otlp::EncodeStats stats;
  ARROW_ASSIGN_OR_RAISE(std::string request, otlp::EncodeRequest(batch, &stats));
  stats_ += stats;
  return request;
}

runtime::Task<Status> OtlpGrpcExporter::Export(engine::Pdata pdata, engine::Effects& effects) {
  co_await WaitForTurn(effects);
  if (has_given_up_) {
    CountFailure(kGivenUp, /*is_permanent=*/false);
    pdata.token.Nack(kGivenUp, /*is_permanent=*/false);
    co_return Status::OK();
  }
  ForgetEndedCalls();
  auto request = Encode(*pdata.batch);
  if (!request.ok()) {
    CountFailure(request.status().message(), /*is_permanent=*/true);
    pdata.token.Nack(request.status().message(), /*is_permanent=*/true);
    co_return Status::OK();
  }
  Call& call = calls_.emplace_back();
  call.pdata = std::move(pdata);
  call.task = Send(&call, *std::move(request));
  call.task.Start();
  co_return Status::OK();
}

runtime::Task<void> OtlpGrpcExporter::WaitForTurn(engine::Effects& effects) {
  while (true) {
    if (num_in_flight_ >= config_->max_in_flight) {
      co_await changed_->Wait();
      continue;
    }
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

runtime::Task<void> OtlpGrpcExporter::Send(Call* call, std::string request) {
  ++num_in_flight_;
  in_flight_->Set(num_in_flight_);
  request_bytes_->Add(static_cast<int64_t>(request.size()));
  runtime::grpc::Client& client = *clients_[next_client_];
  next_client_ = (next_client_ + 1) % clients_.size();
  const runtime::SteadyTime begin = effects_->clock().Now();
  std::string path(PathOf(call->pdata.batch->signal()));
  const runtime::grpc::UnaryAnswer answer =
      co_await client.Call(std::move(path), std::move(request), begin + config_->timeout);
  duration_->Record((effects_->clock().Now() - begin).count());
  EndCall(call, answer);
}

void OtlpGrpcExporter::EndCall(Call* call, const runtime::grpc::UnaryAnswer& answer) {
  --num_in_flight_;
  in_flight_->Set(num_in_flight_);
  changed_->NotifyAll();
  const runtime::grpc::CallStatus& status = answer.status;
  RequestsOf(status.code).Add(1);
  if (status.retry_delay.has_value() && IsRetryable(status)) {
    const auto pause = std::min<std::chrono::nanoseconds>(*status.retry_delay, kLongestPause);
    pause_end_ = std::max(pause_end_, effects_->clock().Now() + pause);
  }
  if (status.ok()) {
    ++num_delivered_;
    ReadPartialSuccess(call->pdata.batch->signal(), answer.message);
  } else {
    CountFailure(status.ToString(), !IsRetryable(status));
    LogDebug("{}: {}", config_->grpc_endpoint, status.ToString());
  }
  // Its memory is free with its outcome, not when the call is forgotten.
  engine::Pdata pdata = std::move(call->pdata);
  pdata.token.Complete(OutcomeOf(status));
}

void OtlpGrpcExporter::CountFailure(const std::string& reason, bool is_permanent) {
  ++num_failed_;
  num_refused_ += is_permanent ? 1 : 0;
  if (first_failure_.empty()) {
    first_failure_ = reason;
  }
}

void OtlpGrpcExporter::ReadPartialSuccess(otap::Signal signal, const std::string& response) {
  const auto partial = otlp::ReadExportResponse(signal, otlp::Encoding::kProtobuf, response);
  if (!partial.ok()) {
    LogWarning("{} has taken a request and given an answer that cannot be read: {}",
               config_->grpc_endpoint, partial.status().message());
    return;
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
  runtime::grpc::UnaryAnswer answer;
  answer.status = runtime::grpc::MakeStatus(Code::kCancelled, kGivenUp);
  for (Call& call : calls_) {
    if (!call.task.is_done()) {
      call.task = runtime::Task<void>();  // destroyed where it waits: the server hears of it
      EndCall(&call, answer);
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
    report.lines.push_back(fmt::format("{} calls failed, {} of them for good; the first: {}",
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
  report.num_problems += num_rejected_items_ + num_refused_;
  return report;
}

}  // namespace df::nodes::exporters::otlp_grpc
