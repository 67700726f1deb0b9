// What the answer to an export call means for the batch.
#pragma once

#include <string_view>

#include "engine/completion.h"
#include "otap/schema.h"
#include "runtime/grpc/status.h"

namespace df::nodes::exporters::otlp_grpc {

/// Returns the path of the export method of a signal.
std::string_view PathOf(otap::Signal signal);

/// Whether the same request may succeed later. Source: the table of OTLP's specification;
/// RESOURCE_EXHAUSTED only where the server says when.
bool IsRetryable(const runtime::grpc::CallStatus& status);

/// The outcome of a call that has ended with that status.
engine::Outcome OutcomeOf(const runtime::grpc::CallStatus& status);

}  // namespace df::nodes::exporters::otlp_grpc
