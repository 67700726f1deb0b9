#include "nodes/exporters/otlp_http/otlp_http_exporter.h"

#include <fmt/format.h>

#include "nodes/exporters/otlp_http/response_answer.h"
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

}  // namespace

Status OtlpHttpExporter::Start(engine::Effects& effects) {
  effects_ = &effects;
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
  RequestsOf("200");
  request_bytes_ = &effects.metrics().AddCounter(kRequestBytes);
  duration_ = &effects.metrics().AddHistogram(kDuration);
  delivery::RequestTransport* transport = this;
  window_.emplace(&effects, transport, config_->encoding, config_->max_in_flight,
                  delivery::WindowInstruments{kInFlight, kRejected, kTooLarge, kCut});
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
  request.target = DestinationOf(signal).path;
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

runtime::Task<Status> OtlpHttpExporter::Export(engine::Pdata pdata, engine::Effects&) {
  delivery::RequestLimit* limit = DestinationOf(pdata.batch->signal()).limit;
  co_await window_->Send(std::move(pdata), limit);
  co_return Status::OK();
}

runtime::Task<delivery::RequestAnswer> OtlpHttpExporter::Send(otap::Signal signal,
                                                              std::string body) {
  delivery::RequestAnswer refused;
  Result<Request> request = MakeRequest(signal, std::move(body));
  if (!request.ok()) {
    refused.is_permanent = true;
    refused.reason = request.status().message();
    co_return refused;
  }
  request_bytes_->Add(static_cast<int64_t>(request->body.size()));
  const runtime::SteadyTime begin = effects_->clock().Now();
  const Result<Response> response =
      co_await DestinationOf(signal).client->Send(*std::move(request), begin + config_->timeout);
  duration_->Record((effects_->clock().Now() - begin).count());
  RequestsOf(response.ok() ? std::to_string(response->status) : "none").Add(1);
  if (response.ok()) {
    co_return AnswerOf(*response, signal, effects_->clock().WallNow());
  }
  refused.is_permanent = !IsRetryable(response.status());
  refused.reason = response.status().message();
  refused.may_be_size = runtime::http1::IsBrokenOff(response.status());
  co_return refused;
}

void OtlpHttpExporter::OnGivenUp() { RequestsOf("none").Add(1); }

runtime::Task<Status> OtlpHttpExporter::OnTimer(engine::TimerId, engine::Effects&) {
  co_return Status::OK();
}

runtime::Task<Status> OtlpHttpExporter::Finish(engine::Effects&) {
  co_await window_->Finish();
  co_return Status::OK();
}

engine::NodeReport OtlpHttpExporter::Report() {
  return window_.has_value() ? window_->Report("") : engine::NodeReport();
}

}  // namespace df::nodes::exporters::otlp_http
