// Takes OTLP export requests from the network.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "engine/node.h"
#include "nodes/receivers/otlp/config.h"
#include "nodes/receivers/otlp/export_service.h"
#include "nodes/receivers/otlp/grpc_endpoint.h"
#include "nodes/receivers/otlp/http_endpoint.h"

namespace df::nodes::receivers::otlp {

/// What all instances listen with.
struct OtlpShared final : engine::NodeShared {
  std::shared_ptr<const runtime::TlsContext> http_tls;  ///< null: not encrypted
  std::shared_ptr<const runtime::TlsContext> grpc_tls;  ///< the same
};

/// Listens on every core at the same address, until a drain is requested. It ends when those that
/// wait for the outcome of their requests have read it, for which they have half of the time of the
/// drain, at most ten seconds; the rest is answered while what is downstream ends.
class OtlpReceiver final : public engine::Receiver {
 public:
  OtlpReceiver(std::shared_ptr<const OtlpConfig> config, std::shared_ptr<const OtlpShared> shared)
      : config_(std::move(config)), shared_(std::move(shared)) {}

  runtime::Task<Status> Run(engine::Effects& effects) override;
  void OnCollect() override;
  engine::NodeReport Report() override;

  /// 0 while it does not listen.
  uint16_t http_port() const { return http_ == nullptr ? uint16_t{0} : http_->port(); }
  uint16_t grpc_port() const { return grpc_ == nullptr ? uint16_t{0} : grpc_->port(); }

 private:
  Status Listen(engine::Effects& effects);

  std::shared_ptr<const OtlpConfig> config_;
  std::shared_ptr<const OtlpShared> shared_;
  std::optional<ExportService> service_;
  std::unique_ptr<HttpEndpoint> http_;  // both behind what their calls use
  std::unique_ptr<GrpcEndpoint> grpc_;
};

}  // namespace df::nodes::receivers::otlp
