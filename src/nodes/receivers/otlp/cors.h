// Requests of pages in browsers, as far as the configuration lets them in.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "config/field_table.h"
#include "runtime/http1/message.h"

namespace df::nodes::receivers::otlp {

struct CorsConfig {
  /// "https://app.example.com", "https://*.example.com" or "*".
  std::vector<std::string> allowed_origins;
  /// Besides Content-Type and Content-Encoding; "*": all.
  std::vector<std::string> allowed_headers;
  /// How long a browser may keep the answer about what is allowed.
  std::chrono::nanoseconds max_age = std::chrono::seconds(5);
};

const config::FieldTable<CorsConfig>& CorsFields();

/// Tells whether a page of the origin may send.
bool AllowsOrigin(const CorsConfig& cors, std::string_view origin);

/// Tells whether a browser asks what is allowed before it sends.
bool IsPreflight(const runtime::http1::Request& head);

/// Makes the answer to that: 200, or 403 for an origin that is not allowed.
runtime::http1::Response AnswerPreflight(const CorsConfig& cors,
                                         const runtime::http1::Request& head);

/// Adds what a page of an allowed origin needs to read the answer, and for every origin, an empty
/// one too, that the answer depends on it (Vary).
void AddCorsHeaders(const CorsConfig& cors, std::string_view origin,
                    runtime::http1::Response* response);

}  // namespace df::nodes::receivers::otlp
