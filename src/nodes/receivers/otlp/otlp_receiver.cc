#include "nodes/receivers/otlp/otlp_receiver.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "base/logging.h"
#include "runtime/address.h"

namespace df::nodes::receivers::otlp {
namespace {

constexpr std::chrono::nanoseconds kMaxAnswerTime = std::chrono::seconds(10);
constexpr std::chrono::nanoseconds kMaxReadTime = std::chrono::seconds(2);

}  // namespace

Status OtlpReceiver::Listen(engine::Effects& effects) {
  const auto log = [&effects](std::string_view protocol, const std::string& configured,
                              uint16_t port) {
    runtime::SocketAddress address = *runtime::ParseSocketAddress(configured);
    address.port = port;
    LogInfo("node '{}': OTLP over {} at {}", effects.info().node, protocol, address.ToString());
  };
  // A successor of this pipeline listens before we end, perhaps by a node of another name.
  const auto owner = [&effects](std::string_view protocol) {
    return fmt::format("OTLP over {} of pipeline '{}/{}'", protocol, effects.info().group,
                       effects.info().pipeline);
  };
  if (const std::optional<HttpConfig>& config = config_->protocols.http; config.has_value()) {
    ARROW_ASSIGN_OR_RAISE(
        http_, HttpEndpoint::Listen(&effects.loop(), *config, owner("HTTP"), shared_->http_tls,
                                    &*service_, &effects.metrics()));
    log(shared_->http_tls == nullptr ? "HTTP" : "HTTPS", config->listening_addr, http_->port());
  }
  if (const std::optional<GrpcConfig>& config = config_->protocols.grpc; config.has_value()) {
    ARROW_ASSIGN_OR_RAISE(
        grpc_, GrpcEndpoint::Listen(&effects.loop(), *config, owner("gRPC"), shared_->grpc_tls,
                                    &*service_, &effects.metrics()));
    log(shared_->grpc_tls == nullptr ? "gRPC" : "gRPC with TLS", config->listening_addr,
        grpc_->port());
  }
  return Status::OK();
}

runtime::Task<Status> OtlpReceiver::Run(engine::Effects& effects) {
  service_.emplace(&effects);
  Status listening = Listen(effects);
  if (!listening.ok()) {
    co_return listening;
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
  if (grpc_ != nullptr) {
    grpc_->Stop();
  }
  co_await service_->WaitForSends();
  // Who is not answered sends again what may be stored by then. What is held downstream is being
  // stored since the drain began.
  const runtime::SteadyTime now = effects.clock().Now();
  const runtime::SteadyTime deadline = effects.drain_deadline().value_or(now);
  const runtime::SteadyTime answers_until =
      now + std::min(kMaxAnswerTime, std::chrono::nanoseconds((deadline - now) / 2));
  if (co_await service_->WaitForAnswers(answers_until)) {
    // Who is slow to read, or has sent half of a request, holds nothing up for long.
    const runtime::SteadyTime written_until =
        std::min(effects.clock().Now() + kMaxReadTime, deadline);
    if (http_ != nullptr) {
      co_await http_->Drain(written_until);
    }
    if (grpc_ != nullptr) {
      co_await grpc_->Drain(written_until);
    }
  }
  co_return Status::OK();
}

void OtlpReceiver::OnCollect() {
  if (grpc_ != nullptr) {
    grpc_->Collect();
  }
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
        fmt::format("rejected {} requests: the pipeline refused them", counts.refused));
  }
  if (counts.lost_batches > 0) {
    report.lines.push_back(
        fmt::format("{} batches were refused after their senders had been told that they were "
                    "taken; the first: {}",
                    counts.lost_batches, counts.first_lost));
  }
  report.num_problems = counts.lost_batches;
  service_->losses().AddTo(&report);
  return report;
}

}  // namespace df::nodes::receivers::otlp
