// Takes batches from OTAP streams of gRPC clients.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/node.h"
#include "nodes/receivers/otap/config.h"
#include "nodes/receivers/otap/stream_service.h"
#include "runtime/grpc/server.h"

namespace df::nodes::receivers::otap {

/// Listens on every core at the same address. A drain ends all streams when what they sent is
/// answered, for which it has half of its time, at most ten seconds.
class OtapReceiver final : public engine::Receiver, public runtime::grpc::CallHandler {
 public:
  explicit OtapReceiver(std::shared_ptr<const OtapConfig> config) : config_(std::move(config)) {}

  runtime::Task<Status> Run(engine::Effects& effects) override;

  void OnCollect() override;

  /// One line, and one more with the first refusal.
  engine::NodeReport Report() override;

  runtime::Task<runtime::grpc::CallStatus> OnCall(runtime::grpc::ServerCall& call) override;

  /// The port that it listens at; 0 before and after.
  uint16_t port() const { return server_ == nullptr ? 0 : server_->port(); }

 private:
  Status Listen(engine::Effects& effects);
  void AddMetrics(telemetry::MetricSet* metrics);

  std::shared_ptr<const OtapConfig> config_;
  runtime::http2::ServerCounts collected_;              ///< what the counters have so far
  telemetry::Counter* accepted_connections_ = nullptr;  ///< set by Run, as are those below
  telemetry::Counter* refused_connections_ = nullptr;
  telemetry::Counter* broken_connections_ = nullptr;
  telemetry::Counter* refused_streams_ = nullptr;
  std::unique_ptr<StreamService> service_;         ///< set by Run
  std::unique_ptr<runtime::grpc::Server> server_;  ///< the same; its calls use the service
};

}  // namespace df::nodes::receivers::otap
