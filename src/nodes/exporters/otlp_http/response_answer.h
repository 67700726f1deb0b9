// What an answer of an OTLP/HTTP server means for the request.
#pragma once

#include "delivery/request_answer.h"
#include "otap/schema.h"
#include "runtime/clock.h"
#include "runtime/http1/message.h"

namespace df::nodes::exporters::otlp_http {

/// 2xx: the server has taken the request. 429, 502, 503, 504: it may take it later. Everything else
/// is a permanent refusal, except that a request that is too large may be sent in parts.
/// `now` is what dates of Retry-After are compared with.
/// Source: the OTLP specification, "OTLP/HTTP response".
delivery::RequestAnswer AnswerOf(const runtime::http1::Response& response, otap::Signal signal,
                                 runtime::WallTime now);

}  // namespace df::nodes::exporters::otlp_http
