// What the answer to an export call means for the request.
#pragma once

#include <string_view>

#include "delivery/request_answer.h"
#include "otap/schema.h"
#include "runtime/grpc/client.h"

namespace df::nodes::exporters::otlp_grpc {

/// Returns the path of the export method of a signal.
std::string_view PathOf(otap::Signal signal);

/// Refusals for now are those of the table of OTLP's specification, RESOURCE_EXHAUSTED only where
/// the server says when.
delivery::RequestAnswer AnswerOf(const runtime::grpc::UnaryAnswer& answer, otap::Signal signal);

}  // namespace df::nodes::exporters::otlp_grpc
