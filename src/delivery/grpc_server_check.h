// What nodes that call a gRPC server need of the network.
#pragma once

#include "delivery/grpc_client_fields.h"
#include "engine/environment.h"

namespace df::delivery {

/// Adds that the files of its TLS are good, and that the server can be connected to. `section` is
/// that of the node, without problems.
void AddGrpcServerChecks(const config::Section& section, const GrpcClientConfig& config,
                         engine::EnvironmentChecks* checks);

}  // namespace df::delivery
