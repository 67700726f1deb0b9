#include "nodes/exporters/otlp_grpc/otlp_grpc_exporter.h"

#include <algorithm>
#include <utility>

#include "nodes/exporters/otlp_grpc/call_answer.h"
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
constexpr telemetry::Instrument kCut = {
    InstrumentKind::kCounter, "df.exporter.otlp_grpc.requests.cut", "{request}",
    "Requests that the server did not take for their size, sent again in parts"};
constexpr telemetry::Instrument kConnections = {InstrumentKind::kUpDownCounter,
                                                "df.exporter.otlp_grpc.connections", "{connection}",
                                                "Connections that are there"};

}  // namespace

Status OtlpGrpcExporter::Start(engine::Effects& effects) {
  effects_ = &effects;
  for (int64_t i = 0; i < config_->num_connections; ++i) {
    clients_.push_back(std::make_unique<runtime::grpc::Client>(&effects.loop(), settings_));
  }
  RequestsOf(Code::kOk);
  request_bytes_ = &effects.metrics().AddCounter(kRequestBytes);
  duration_ = &effects.metrics().AddHistogram(kDuration);
  connections_ = &effects.metrics().AddGauge(kConnections);
  limit_.emplace(config_->max_request_bytes);
  delivery::RequestTransport* transport = this;
  window_.emplace(&effects, transport, otlp::Encoding::kProtobuf, config_->max_in_flight,
                  delivery::WindowInstruments{kInFlight, kRejected, kTooLarge, kCut});
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

runtime::Task<Status> OtlpGrpcExporter::Export(engine::Pdata pdata, engine::Effects&) {
  co_await window_->Send(std::move(pdata), &*limit_);
  co_return Status::OK();
}

runtime::Task<delivery::RequestAnswer> OtlpGrpcExporter::Send(otap::Signal signal,
                                                              std::string body) {
  request_bytes_->Add(static_cast<int64_t>(body.size()));
  runtime::grpc::Client& client = *clients_[next_client_];
  next_client_ = (next_client_ + 1) % clients_.size();
  const runtime::SteadyTime begin = effects_->clock().Now();
  std::string path(PathOf(signal));
  const runtime::grpc::UnaryAnswer answer =
      co_await client.Call(std::move(path), std::move(body), begin + config_->timeout);
  duration_->Record((effects_->clock().Now() - begin).count());
  RequestsOf(answer.status.code).Add(1);
  co_return AnswerOf(answer, signal);
}

void OtlpGrpcExporter::OnGivenUp() { RequestsOf(Code::kCancelled).Add(1); }

runtime::Task<Status> OtlpGrpcExporter::OnTimer(engine::TimerId, engine::Effects&) {
  co_return Status::OK();
}

runtime::Task<Status> OtlpGrpcExporter::Finish(engine::Effects&) {
  co_await window_->Finish();
  co_return Status::OK();
}

void OtlpGrpcExporter::OnCollect() {
  connections_->Set(std::count_if(clients_.begin(), clients_.end(),
                                  [](const auto& client) { return client->is_connected(); }));
}

engine::NodeReport OtlpGrpcExporter::Report() {
  return window_.has_value() ? window_->Report(" to " + config_->grpc_endpoint)
                             : engine::NodeReport();
}

}  // namespace df::nodes::exporters::otlp_grpc
