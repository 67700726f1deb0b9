#include "engine/environment.h"

#include "delivery/grpc_server_check.h"
#include "nodes/exporters/otap/config.h"

namespace df::nodes::exporters::otap {
namespace {

void AddChecks(const config::Section& section, engine::EnvironmentChecks* checks) {
  delivery::AddGrpcServerChecks(section, config::Read(OtapFields(), section), checks);
}

}  // namespace

extern const engine::NodeEnvironment kEnvironment;
const engine::NodeEnvironment kEnvironment = {.urn = "urn:otel:exporter:otap",
                                              .add_checks = AddChecks};

}  // namespace df::nodes::exporters::otap
