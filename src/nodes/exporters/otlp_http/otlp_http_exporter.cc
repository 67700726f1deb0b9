#include "nodes/exporters/otlp_http/otlp_http_exporter.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/logging.h"
#include "runtime/http1/url.h"
#include "telemetry/metric_set.h"

namespace df::nodes::exporters::otlp_http {
namespace {

using runtime::http1::Request;
using runtime::http1::Response;
using telemetry::InstrumentKind;

constexpr telemetry::Instrument kRequests = {InstrumentKind::kCounter,
                                             "df.exporter.otlp_http.requests", "{request}",
                                             "Requests that have ended", "status"};
constexpr telemetry::Instrument kRequestBytes = {
    InstrumentKind::kCounter, "df.exporter.otlp_http.request.size", "By",
    "Bytes of the bodies that were sent, after compression"};
constexpr telemetry::Instrument kDuration = {InstrumentKind::kHistogram,
                                             "df.exporter.otlp_http.request.duration", "s",
                                             "Time from sending a request to its answer"};
constexpr telemetry::Instrument kInFlight = {InstrumentKind::kUpDownCounter,
                                             "df.exporter.otlp_http.in_flight", "{request}",
                                             "Requests under way"};
constexpr telemetry::Instrument kRejected = {
    InstrumentKind::kCounter, "df.exporter.otlp_http.items.rejected", "{item}",
    "Items that the server has refused while it took the rest of their request"};

constexpr telemetry::Instrument kTooLarge = {InstrumentKind::kCounter,
                                             "df.exporter.otlp_http.items.too_large", "{item}",
                                             "Items that the server does not take for their size"};
constexpr telemetry::Instrument kCut = {
    InstrumentKind::kCounter, "df.exporter.otlp_http.requests.cut", "{request}",
    "Requests that the server did not take for their size, sent again in parts"};

// Before the end of a drain: time for senders to hear what became of their batches.
constexpr std::chrono::seconds kDrainMargin{1};
constexpr char kGivenUp[] = "the pipeline ends, and the server has not answered";

}  // namespace

Status OtlpHttpExporter::Start(engine::Effects& effects) {
  effects_ = &effects;
  changed_.emplace(&effects.loop());
  for (const otap::Signal signal : otap::kAllSignals) {
    ARROW_ASSIGN_OR_RAISE(const runtime::http1::Url url,
                          runtime::http1::ParseUrl(config_->EndpointOf(signal)));
    Server& server = servers_[fmt::format("{}//{}", url.is_encrypted, url.authority())];
    if (server.client == nullptr) {
      runtime::http1::ClientSettings settings;
      settings.host = url.host;
      settings.port = url.port;
      settings.tls = url.is_encrypted ? tls_ : nullptr;
      settings.connect_timeout = config_->connect_timeout;
      settings.max_idle_connections = config_->client_pool_size;
      settings.max_body_bytes = config_->max_response_body_length;
      server.client = std::make_unique<runtime::http1::Client>(&effects.loop(), settings);
      server.limit = std::make_unique<delivery::RequestLimit>(config_->max_request_bytes);
    }
    destinations_[static_cast<size_t>(signal)] = {url.path, server.client.get(),
                                                  server.limit.get()};
  }
  telemetry::MetricSet& metrics = effects.metrics();
  RequestsOf("200");
  request_bytes_ = &metrics.AddCounter(kRequestBytes);
  duration_ = &metrics.AddHistogram(kDuration);
  in_flight_ = &metrics.AddGauge(kInFlight);
  rejected_ = &metrics.AddCounter(kRejected);
  cut_ = &metrics.AddCounter(kCut);
  too_large_.emplace(effects.info().node, &metrics.AddCounter(kTooLarge));
  give_up_timer_.emplace(&effects.loop(), [this] { GiveUp(); });
  on_drain_.emplace(&effects.drain(), [this] { OnDrain(); });
  return Status::OK();
}

telemetry::Counter& OtlpHttpExporter::RequestsOf(const std::string& status) {
  telemetry::Counter*& counter = requests_[status];
  if (counter == nullptr) {
    counter = &effects_->metrics().AddCounter(kRequests, {{"status", status}});
  }
  return *counter;
}

Result<Request> OtlpHttpExporter::MakeRequest(otap::Signal signal, std::string body) {
  Request request;
  request.body = std::move(body);
  request.method = "POST";
  request.target = destinations_[static_cast<size_t>(signal)].path;
  request.headers.push_back({"Content-Type", config_->encoding == otlp::Encoding::kJson
                                                 ? "application/json"
                                                 : "application/x-protobuf"});
  if (config_->compression != Compression::kNone) {
    ARROW_ASSIGN_OR_RAISE(request.body, Compress(config_->compression, request.body));
    request.headers.push_back({"Content-Encoding", std::string(Name(config_->compression))});
  }
  for (const auto& [name, value] : config_->headers) {
    request.headers.push_back({name, value});
  }
  if (runtime::http1::Find(request.headers, "User-Agent").empty()) {
    request.headers.push_back({"User-Agent", "df_engine"});
  }
  return request;
}

runtime::Task<Status> OtlpHttpExporter::Export(engine::Pdata pdata, engine::Effects& effects) {
  co_await WaitForTurn(effects);
  if (has_given_up_) {
    CountFailure(kGivenUp, /*is_permanent=*/false);
    pdata.token.Nack(kGivenUp, /*is_permanent=*/false);
    co_return Status::OK();
  }
  calls_.remove_if([](const Call& call) { return call.task.is_done(); });
  delivery::RequestLimit* limit = destinations_[static_cast<size_t>(pdata.batch->signal())].limit;
  Call& call = calls_.emplace_back(std::move(pdata), config_->encoding,
                                   delivery::Destination{limit, &*too_large_});
  call.task = Deliver(&call);
  call.task.Start();
  co_return Status::OK();
}

runtime::Task<void> OtlpHttpExporter::WaitForTurn(engine::Effects& effects) {
  do {
    while (num_in_flight_ >= config_->max_in_flight) {
      co_await changed_->Wait();
    }
    co_await WaitForPause(effects);
  } while (num_in_flight_ >= config_->max_in_flight);
}

runtime::Task<void> OtlpHttpExporter::WaitForPause(engine::Effects& effects) {
  while (true) {
    // A drain that ends before the pause leaves one attempt only.
    const auto deadline = effects.drain_deadline();
    const bool has_time = !deadline.has_value() || pause_end_ < *deadline;
    if (pause_end_ <= effects.clock().Now() || !has_time) {
      co_return;
    }
    runtime::Cancellation* interruption = effects.is_draining() ? nullptr : &effects.drain();
    co_await effects.loop().SleepUntil(pause_end_, interruption);
  }
}

runtime::Task<void> OtlpHttpExporter::Deliver(Call* call) {
  ++num_in_flight_;
  in_flight_->Set(num_in_flight_);
  const otap::Signal signal = call->sender.signal();
  std::optional<engine::Outcome> outcome;
  while (!outcome.has_value() && call->sender.Next()) {
    co_await WaitForPause(*effects_);
    Result<Request> request = MakeRequest(signal, std::move(call->sender.request().body));
    if (!request.ok()) {
      call->sender.RefuseForGood(request.status().message());
      continue;
    }
    const ResponseOutcome ended = co_await Send(signal, *std::move(request));
    outcome = TakeAnswer(call, ended);
  }
  EndCall(call, outcome.has_value() ? *outcome : call->sender.Finish());
}

runtime::Task<ResponseOutcome> OtlpHttpExporter::Send(otap::Signal signal, Request request) {
  request_bytes_->Add(static_cast<int64_t>(request.body.size()));
  runtime::http1::Client& client = *destinations_[static_cast<size_t>(signal)].client;
  const runtime::SteadyTime begin = effects_->clock().Now();
  const Result<Response> response =
      co_await client.Send(std::move(request), begin + config_->timeout);
  duration_->Record((effects_->clock().Now() - begin).count());
  RequestsOf(response.ok() ? std::to_string(response->status) : "none").Add(1);
  if (response.ok()) {
    co_return OutcomeOf(*response, signal, effects_->clock().WallNow());
  }
  ResponseOutcome ended;
  ended.outcome =
      engine::Outcome::Nack(response.status().message(), !IsRetryable(response.status()));
  ended.is_broken_off = runtime::http1::IsBrokenOff(response.status());
  co_return ended;
}

std::optional<engine::Outcome> OtlpHttpExporter::TakeAnswer(Call* call,
                                                            const ResponseOutcome& ended) {
  delivery::BatchSender& sender = call->sender;
  if (ended.outcome.is_ack) {
    ++num_delivered_;
    CountPartialSuccess(sender.signal(), ended);
    sender.Deliver(ended.partial_success.rejected_items, ended.partial_success.message);
    return std::nullopt;
  }
  LogDebug("node '{}': {}", effects_->info().node, ended.outcome.reason);
  if (ended.size_refusal.has_value()) {
    cut_->Add(sender.request().can_be_cut ? 1 : 0);
    sender.RefuseAsTooLarge(*ended.size_refusal, ended.outcome.reason);
    return std::nullopt;
  }
  if (ended.is_broken_off && sender.TryInParts()) {
    cut_->Add(1);
    return std::nullopt;
  }
  if (ended.retry_after.has_value()) {
    pause_end_ = std::max(pause_end_, effects_->clock().Now() + *ended.retry_after);
  }
  if (!ended.outcome.is_permanent) {
    return sender.Stop(ended.outcome.reason);
  }
  sender.RefuseForGood(ended.outcome.reason);
  return std::nullopt;
}

void OtlpHttpExporter::EndCall(Call* call, const engine::Outcome& outcome) {
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

void OtlpHttpExporter::CountFailure(const std::string& reason, bool is_permanent) {
  ++num_failed_;
  num_refused_ += is_permanent ? 1 : 0;
  if (first_failure_.empty()) {
    first_failure_ = reason;
  }
}

void OtlpHttpExporter::CountPartialSuccess(otap::Signal signal, const ResponseOutcome& ended) {
  if (ended.is_unreadable) {
    LogWarning("node '{}': a request was taken and given an answer that cannot be read",
               effects_->info().node);
    return;
  }
  const otlp::PartialSuccess& partial = ended.partial_success;
  if (partial.rejected_items > 0) {
    rejected_->Add(partial.rejected_items);
    num_rejected_items_ += partial.rejected_items;
    if (first_rejection_.empty()) {
      first_rejection_ = partial.message;
    }
  }
  if (partial.rejected_items > 0 || !partial.message.empty()) {
    LogWarning("node '{}': the server has refused {} items of a request of {}: {}",
               effects_->info().node, partial.rejected_items, otap::Name(signal), partial.message);
  }
}

runtime::Task<Status> OtlpHttpExporter::OnTimer(engine::TimerId, engine::Effects&) {
  co_return Status::OK();
}

runtime::Task<Status> OtlpHttpExporter::Finish(engine::Effects&) {
  while (num_in_flight_ > 0) {
    co_await changed_->Wait();
  }
  calls_.clear();
  co_return Status::OK();
}

void OtlpHttpExporter::OnDrain() {
  const runtime::SteadyTime now = effects_->clock().Now();
  const runtime::SteadyTime end = effects_->drain_deadline().value_or(now);
  give_up_timer_->StartAt(end - std::min<std::chrono::nanoseconds>(kDrainMargin, (end - now) / 8));
}

void OtlpHttpExporter::GiveUp() {
  has_given_up_ = true;
  CancelCalls();
}

void OtlpHttpExporter::CancelCalls() {
  for (Call& call : calls_) {
    if (!call.task.is_done()) {
      call.task = runtime::Task<void>();  // destroyed where it waits: its connection closes
      RequestsOf("none").Add(1);
      EndCall(&call, call.sender.Stop(kGivenUp));
    }
  }
}

engine::NodeReport OtlpHttpExporter::Report() {
  engine::NodeReport report;
  report.lines.push_back(fmt::format("delivered {} requests", num_delivered_));
  if (num_failed_ > 0) {
    report.lines.push_back(fmt::format("{} requests failed, {} of them permanently; the first: {}",
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
        std::pair(stats_.unreachable_points, "data points without metric, not sent"),
        std::pair(stats_.replaced_texts, "texts that are not UTF-8, replaced in part")}) {
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

}  // namespace df::nodes::exporters::otlp_http
