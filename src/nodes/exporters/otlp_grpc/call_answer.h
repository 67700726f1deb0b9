// What the answer to an export call means for the request.
#pragma once

#include <string_view>

#include "delivery/request_answer.h"
#include "otap/schema.h"
#include "runtime/grpc/client.h"

namespace df::nodes::exporters::otlp_grpc {

/// Returns the path of the export method of a signal.
std::string_view PathOf(otap::Signal signal);

/// Codes that OTLP's specification calls retryable are temporary refusals; RESOURCE_EXHAUSTED is
/// one only if the server says when to try again. All other codes are permanent.
delivery::RequestAnswer AnswerOf(const runtime::grpc::UnaryAnswer& answer, otap::Signal signal);

}  // namespace df::nodes::exporters::otlp_grpc
