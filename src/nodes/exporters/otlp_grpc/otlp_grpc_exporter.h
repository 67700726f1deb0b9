// Sends batches to an OTLP server over gRPC.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "delivery/request_limit.h"
#include "delivery/request_window.h"
#include "engine/node.h"
#include "nodes/exporters/otlp_grpc/config.h"
#include "runtime/grpc/client.h"

namespace df::nodes::exporters::otlp_grpc {

/// One call for each request of a window.
class OtlpGrpcExporter final : public engine::Exporter, private delivery::RequestTransport {
 public:
  OtlpGrpcExporter(std::shared_ptr<const OtlpGrpcConfig> config,
                   runtime::grpc::ClientSettings settings)
      : config_(std::move(config)), settings_(std::move(settings)) {}

  Status Start(engine::Effects& effects) override;
  runtime::Task<Status> Export(engine::Pdata pdata, engine::Effects& effects) override;
  runtime::Task<Status> OnTimer(engine::TimerId id, engine::Effects& effects) override;
  runtime::Task<Status> Finish(engine::Effects& effects) override;
  void OnCollect() override;
  engine::NodeReport Report() override;

 private:
  runtime::Task<delivery::RequestAnswer> Send(otap::Signal signal, std::string body) override;
  void OnGivenUp() override;
  telemetry::Counter& RequestsOf(runtime::grpc::Code code);

  std::shared_ptr<const OtlpGrpcConfig> config_;
  runtime::grpc::ClientSettings settings_;
  engine::Effects* effects_ = nullptr;  // set by Start, as are those below
  std::vector<std::unique_ptr<runtime::grpc::Client>> clients_;
  size_t next_client_ = 0;
  std::optional<delivery::RequestLimit> limit_;

  std::map<runtime::grpc::Code, telemetry::Counter*> requests_;
  telemetry::Counter* request_bytes_ = nullptr;
  telemetry::Histogram* duration_ = nullptr;
  telemetry::Gauge* connections_ = nullptr;
  std::optional<delivery::RequestWindow> window_;  // goes before the clients
};

}  // namespace df::nodes::exporters::otlp_grpc
