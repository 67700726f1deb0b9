// OTLP over gRPC: methods and status codes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "nodes/receivers/otlp/config.h"
#include "nodes/receivers/otlp/export_service.h"
#include "nodes/receivers/otlp/request_metrics.h"
#include "runtime/grpc/server.h"
#include "runtime/places.h"
#include "telemetry/metric_set.h"

namespace df::nodes::receivers::otlp {

/// Owner: borrows the service and the metrics. Calls: the loop.
class GrpcEndpoint final : public runtime::grpc::CallHandler {
 public:
  /// Errors: those of Server::Listen.
  static Result<std::unique_ptr<GrpcEndpoint>> Listen(
      runtime::EventLoop* loop, const GrpcConfig& config, const std::string& owner,
      std::shared_ptr<const runtime::TlsContext> tls, ExportService* service,
      telemetry::MetricSet* metrics);

  uint16_t port() const { return server_->port(); }
  /// Brings the counters of connections up to date.
  void Collect();
  /// Takes no connections and requests any more; requests under way are answered.
  void Stop() { server_->Stop(); }
  runtime::Task<> Drain(runtime::SteadyTime deadline) { return server_->Drain(deadline); }

  runtime::Task<runtime::grpc::CallStatus> OnCall(runtime::grpc::ServerCall& call) override;

 private:
  GrpcEndpoint(const GrpcConfig& config, ExportService* service, runtime::EventLoop* loop,
               telemetry::MetricSet* metrics);

  runtime::grpc::CallStatus Refuse(runtime::grpc::Code code, std::string_view reason,
                                   std::string_view metric_reason);
  runtime::grpc::CallStatus StatusOf(const ExportAnswer& answer);

  GrpcConfig config_;
  ExportService* service_;
  runtime::EventLoop* loop_;
  runtime::Places places_;
  RequestMetrics metrics_;
  telemetry::Counter* accepted_connections_;
  telemetry::Counter* refused_connections_;
  telemetry::Counter* broken_connections_;
  runtime::http2::ServerCounts collected_;         // what the counters have of the server's
  std::unique_ptr<runtime::grpc::Server> server_;  // last: its calls use the rest
};

}  // namespace df::nodes::receivers::otlp
