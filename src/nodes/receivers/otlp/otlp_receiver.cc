#include "nodes/receivers/otlp/otlp_receiver.h"

#include <fmt/format.h>

#include "base/logging.h"
#include "runtime/address.h"

namespace df::nodes::receivers::otlp {

runtime::Task<Status> OtlpReceiver::Run(engine::Effects& effects) {
  service_.emplace(&effects);
  if (const std::optional<HttpConfig>& config = config_->protocols.http; config.has_value()) {
    auto endpoint = HttpEndpoint::Listen(&effects.loop(), *config, shared_->http_tls, &*service_,
                                         &effects.metrics());
    if (!endpoint.ok()) {
      co_return endpoint.status();
    }
    http_ = *std::move(endpoint);
    runtime::SocketAddress address = *runtime::ParseSocketAddress(config->listening_addr);
    address.port = http_->port();
    LogInfo("node '{}': OTLP over {} at {}", effects.info().node,
            shared_->http_tls == nullptr ? "HTTP" : "HTTPS", address.ToString());
  }
  runtime::Wakeup drain(&effects.loop());
  const runtime::Cancellation::Subscription on_drain(&effects.drain(),
                                                     [&drain] { drain.Notify(); });
  while (!effects.is_draining()) {
    co_await drain.Wait();
  }
  service_->Close();
  if (http_ != nullptr) {
    http_->Stop();
  }
  co_await service_->WaitForSends();
  co_return Status::OK();
}

engine::NodeReport OtlpReceiver::Report() {
  engine::NodeReport report;
  if (!service_.has_value()) {
    return report;
  }
  const ExportCounts& counts = service_->counts();
  report.lines.push_back(
      fmt::format("took {} requests with {} items", counts.requests, counts.items));
  if (counts.malformed > 0) {
    report.lines.push_back(fmt::format("refused {} malformed requests", counts.malformed));
  }
  if (counts.refused > 0) {
    report.lines.push_back(
        fmt::format("refused {} requests for the pipeline's sake", counts.refused));
  }
  if (counts.invalid_ids > 0) {
    report.lines.push_back(fmt::format("{} trace and span ids of a wrong length were read as none",
                                       counts.invalid_ids));
  }
  if (counts.lost_batches > 0) {
    report.lines.push_back(
        fmt::format("{} batches were refused after their senders had been told that they were "
                    "taken; the first: {}",
                    counts.lost_batches, counts.first_lost));
  }
  report.num_problems = counts.lost_batches + counts.invalid_ids;
  return report;
}

}  // namespace df::nodes::receivers::otlp
