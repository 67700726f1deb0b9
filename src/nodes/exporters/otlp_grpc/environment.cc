#include "engine/environment.h"

#include "delivery/grpc_server_check.h"
#include "nodes/exporters/otlp_grpc/config.h"

namespace df::nodes::exporters::otlp_grpc {
namespace {

void AddChecks(const config::Section& section, engine::EnvironmentChecks* checks) {
  delivery::AddGrpcServerChecks(section, config::Read(OtlpGrpcFields(), section), checks);
}

}  // namespace

extern const engine::NodeEnvironment kEnvironment;
const engine::NodeEnvironment kEnvironment = {.urn = "urn:otel:exporter:otlp_grpc",
                                              .add_checks = AddChecks};

}  // namespace df::nodes::exporters::otlp_grpc
