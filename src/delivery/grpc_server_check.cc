#include "delivery/grpc_server_check.h"

namespace df::delivery {

void AddGrpcServerChecks(const config::Section& section, const GrpcClientConfig& config,
                         engine::EnvironmentChecks* checks) {
  if (config.tls.has_value()) {
    engine::AddClientTlsCheck(*section.Find("tls"), *config.tls, checks);
  }
  const auto endpoint = ParseGrpcEndpoint(config.grpc_endpoint);
  if (endpoint.ok()) {
    engine::AddConnectCheck(
        section, section.Find("grpc_endpoint").has_value() ? "grpc_endpoint" : "endpoint",
        {.host = endpoint->host,
         .port = endpoint->port,
         .has_tls = endpoint->has_tls || config.tls.has_value()},
        config.tls.value_or(runtime::TlsSettings()), checks);
  }
}

}  // namespace df::delivery
