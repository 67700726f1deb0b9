// What load balancers and kubelets ask a gRPC server: grpc.health.v1.
#pragma once

#include <string_view>
#include <vector>

#include "runtime/grpc/server.h"

namespace df::runtime::grpc {

/// Tells whether a call asks for health. Watch is not offered: clients that are told UNIMPLEMENTED
/// take the server for good, as the protocol has it.
bool IsHealthCheck(std::string_view path);

/// Answers /grpc.health.v1.Health/Check: SERVING or NOT_SERVING for "" and for each of `services`,
/// NOT_FOUND for others.
Task<CallStatus> AnswerHealthCheck(ServerCall* call, bool is_serving,
                                   std::vector<std::string_view> services);

}  // namespace df::runtime::grpc
