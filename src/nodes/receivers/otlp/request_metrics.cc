#include "nodes/receivers/otlp/request_metrics.h"

namespace df::nodes::receivers::otlp {
namespace {

constexpr telemetry::Instrument kRequests = {telemetry::InstrumentKind::kCounter,
                                             "df.receiver.otlp.requests", "{request}",
                                             "Export requests that were read", "protocol,signal"};
constexpr telemetry::Instrument kRequestBytes = {
    telemetry::InstrumentKind::kCounter, "df.receiver.otlp.requests.size", "By",
    "Bytes of the export requests that were read, as they were sent", "protocol,signal"};
constexpr telemetry::Instrument kRefused = {
    telemetry::InstrumentKind::kCounter, "df.receiver.otlp.requests.refused", "{request}",
    "Export requests that were not answered with success", "protocol,reason"};

}  // namespace

RequestMetrics::RequestMetrics(std::string_view protocol, telemetry::MetricSet* metrics)
    : protocol_(protocol), metrics_(metrics) {
  for (const otap::Signal signal : otap::kAllSignals) {
    const telemetry::Attributes attributes = {{"protocol", protocol_},
                                              {"signal", std::string(otap::Name(signal))}};
    const auto i = static_cast<size_t>(signal);
    requests_[i] = &metrics->AddCounter(kRequests, attributes);
    request_bytes_[i] = &metrics->AddCounter(kRequestBytes, attributes);
  }
}

void RequestMetrics::CountRequest(otap::Signal signal, int64_t num_bytes) {
  requests_[static_cast<size_t>(signal)]->Add(1);
  request_bytes_[static_cast<size_t>(signal)]->Add(num_bytes);
}

void RequestMetrics::CountRefused(std::string_view reason) {
  auto at = refused_.find(reason);
  if (at == refused_.end()) {
    const telemetry::Attributes attributes = {{"protocol", protocol_},
                                              {"reason", std::string(reason)}};
    at = refused_.emplace(reason, &metrics_->AddCounter(kRefused, attributes)).first;
  }
  at->second->Add(1);
}

}  // namespace df::nodes::receivers::otlp
