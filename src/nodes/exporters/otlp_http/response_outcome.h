// What an answer of an OTLP/HTTP server means for the batch.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "delivery/size_refusal.h"
#include "engine/completion.h"
#include "otap/schema.h"
#include "otlp/export_response.h"
#include "runtime/clock.h"
#include "runtime/http1/message.h"

namespace df::nodes::exporters::otlp_http {

struct ResponseOutcome {
  engine::Outcome outcome;
  /// Of an ack: what the server has refused of it.
  otlp::PartialSuccess partial_success;
  /// Of a nack: the server does not take the request for its size.
  std::optional<delivery::SizeRefusal> size_refusal;
  /// When the server wants to be asked again; nothing where it does not say.
  std::optional<std::chrono::nanoseconds> retry_after;
  /// There is no answer: the connection ended while the server could have been reading the request.
  bool is_broken_off = false;
  /// Of an ack: the answer could not be read.
  bool is_unreadable = false;
};

/// 2xx is an ack; 429, 502, 503 and 504 are temporary nacks; everything else is one for good, but
/// for what is too large, which may be sent in parts.
/// `now` is what dates of Retry-After are compared with.
/// Source: the OTLP specification, "OTLP/HTTP response".
ResponseOutcome OutcomeOf(const runtime::http1::Response& response, otap::Signal signal,
                          runtime::WallTime now);

}  // namespace df::nodes::exporters::otlp_http
