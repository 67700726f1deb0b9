// Streams to a server over gRPC.
#pragma once

#include <memory>

#include "engine/effects.h"
#include "nodes/exporters/otap/client_stream.h"
#include "nodes/exporters/otap/config.h"

namespace df::nodes::exporters::otap {

/// Makes what opens calls of the OTAP services over one connection, which is made when it is
/// needed. Errors: those of MakeClientSettings.
Result<std::unique_ptr<StreamOpener>> MakeGrpcOpener(const OtapConfig& config,
                                                     engine::Effects& effects);

}  // namespace df::nodes::exporters::otap
