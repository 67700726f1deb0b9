#include "nodes/receivers/otlp/cors.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace df::nodes::receivers::otlp {
namespace {

using runtime::http1::Find;
using runtime::http1::Request;
using runtime::http1::Response;

constexpr std::string_view kAny = "*";
// A day: browsers keep it no longer.
constexpr config::Range kMaxAge = {0, int64_t{24} * 3600 * 1'000'000'000};

/// A '*' in the pattern stands for any text that is not empty.
bool Matches(std::string_view pattern, std::string_view origin) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) {
    return EqualsIgnoringCase(pattern, origin);
  }
  const std::string_view head = pattern.substr(0, star);
  const std::string_view tail = pattern.substr(star + 1);
  return origin.size() > head.size() + tail.size() &&
         EqualsIgnoringCase(origin.substr(0, head.size()), head) &&
         EqualsIgnoringCase(origin.substr(origin.size() - tail.size()), tail);
}

bool Holds(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

const config::FieldTable<CorsConfig>& CorsFields() {
  static const config::FieldTable<CorsConfig> kTable = {
      config::StringList("allowed_origins", &CorsConfig::allowed_origins,
                         "pages that may send: https://app.example.com, https://*.example.com, *")
          .Required(),
      config::StringList("allowed_headers", &CorsConfig::allowed_headers,
                         "headers they may set besides Content-Type and Content-Encoding; *: all"),
      config::Duration("max_age", &CorsConfig::max_age,
                       "how long a browser may keep what it was told about this", kMaxAge),
  };
  return kTable;
}

bool AllowsOrigin(const CorsConfig& cors, std::string_view origin) {
  return !origin.empty() &&
         std::any_of(cors.allowed_origins.begin(), cors.allowed_origins.end(),
                     [origin](const std::string& pattern) { return Matches(pattern, origin); });
}

bool IsPreflight(const Request& head) {
  return head.method == "OPTIONS" && !Find(head.headers, "Origin").empty() &&
         !Find(head.headers, "Access-Control-Request-Method").empty();
}

Response AnswerPreflight(const CorsConfig& cors, const Request& head) {
  const std::string_view origin = Find(head.headers, "Origin");
  Response response;
  response.status = AllowsOrigin(cors, origin) ? 200 : 403;
  AddCorsHeaders(cors, origin, &response);
  if (response.status == 403) {
    return response;
  }
  std::string allowed = "Content-Type, Content-Encoding";
  if (Holds(cors.allowed_headers, kAny)) {
    allowed = std::string(Find(head.headers, "Access-Control-Request-Headers"));
  } else {
    for (const std::string& name : cors.allowed_headers) {
      allowed += ", " + name;
    }
  }
  response.headers.push_back({"Access-Control-Allow-Methods", "POST"});
  response.headers.push_back({"Access-Control-Allow-Headers", std::move(allowed)});
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(cors.max_age).count();
  response.headers.push_back({"Access-Control-Max-Age", std::to_string(seconds)});
  return response;
}

void AddCorsHeaders(const CorsConfig& cors, std::string_view origin, Response* response) {
  response->headers.push_back({"Vary", "Origin"});
  if (AllowsOrigin(cors, origin)) {
    const bool is_any = Holds(cors.allowed_origins, kAny);
    response->headers.push_back(
        {"Access-Control-Allow-Origin", is_any ? std::string(kAny) : std::string(origin)});
    response->headers.push_back({"Access-Control-Expose-Headers", "Retry-After"});
  }
}

}  // namespace df::nodes::receivers::otlp
