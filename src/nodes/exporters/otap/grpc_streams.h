// Streams to a server over gRPC.
#pragma once

#include <memory>

#include "delivery/grpc_client_fields.h"
#include "engine/effects.h"
#include "nodes/exporters/otap/client_stream.h"

namespace df::nodes::exporters::otap {

/// Makes what opens calls of the OTAP services over one connection, which is made when it is
/// needed. Errors: those of MakeGrpcClientSettings.
Result<std::unique_ptr<StreamOpener>> MakeGrpcOpener(const delivery::GrpcClientConfig& config,
                                                     engine::Effects& effects);

}  // namespace df::nodes::exporters::otap
