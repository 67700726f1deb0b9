#include "nodes/exporters/otlp_http/response_answer.h"

#include <algorithm>
#include <charconv>
#include <ctime>

#include <fmt/format.h>

#include "base/text.h"

namespace df::nodes::exporters::otlp_http {
namespace {

using runtime::http1::Find;
using runtime::http1::Response;

// Of a body that is not a status: it may be a page for people.
constexpr size_t kMaxQuotedBytes = 200;
// Nobody is left alone for longer: what is asked for beyond it is asked for again.
constexpr std::chrono::minutes kLongestPause{5};

std::optional<otlp::Encoding> EncodingOf(const Response& response) {
  std::string_view type = Find(response.headers, "Content-Type");
  type = type.substr(0, type.find_first_of("; "));
  if (EqualsIgnoringCase(type, "application/json")) {
    return otlp::Encoding::kJson;
  }
  if (EqualsIgnoringCase(type, "application/x-protobuf")) {
    return otlp::Encoding::kProtobuf;
  }
  return std::nullopt;
}

/// Seconds, or a date (RFC 9110).
std::optional<std::chrono::nanoseconds> RetryAfter(const Response& response,
                                                   runtime::WallTime now) {
  const std::string text(Find(response.headers, "Retry-After"));
  if (text.empty()) {
    return std::nullopt;
  }
  int64_t seconds = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, seconds);
  if (parsed.ec != std::errc() || parsed.ptr != end) {
    std::tm date{};
    const char* rest = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
    if (rest == nullptr || *rest != '\0') {
      return std::nullopt;
    }
    const auto since = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
    seconds = timegm(&date) - since.count();
  }
  return std::chrono::seconds(
      std::clamp<int64_t>(seconds, 0, std::chrono::seconds(kLongestPause).count()));
}

/// "HTTP 503: the disk is full".
std::string ReasonOf(const Response& response) {
  const auto encoding = EncodingOf(response);
  std::string reason;
  if (encoding.has_value()) {
    if (const auto status = otlp::ReadRpcStatus(*encoding, response.body); status.ok()) {
      reason = PrintableText(status->message);
    }
  }
  if (reason.empty()) {
    reason = PrintableText(std::string_view(response.body).substr(0, kMaxQuotedBytes));
  }
  return reason.empty() ? fmt::format("HTTP {}", response.status)
                        : fmt::format("HTTP {}: {}", response.status, reason);
}

bool IsRetryable(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

}  // namespace

delivery::RequestAnswer AnswerOf(const Response& response, otap::Signal signal,
                                 runtime::WallTime now) {
  delivery::RequestAnswer answer;
  answer.is_taken = response.status >= 200 && response.status <= 299;
  if (!answer.is_taken) {
    answer.is_permanent = !IsRetryable(response.status);
    answer.reason = ReasonOf(response);
    if (answer.is_permanent) {
      answer.size_refusal = delivery::FindHttpSizeRefusal(response.status, answer.reason);
    } else {
      answer.pause = RetryAfter(response, now);
    }
    return answer;
  }
  if (!response.body.empty()) {
    const auto encoding = EncodingOf(response);
    answer.partial = encoding.has_value()
                         ? otlp::ReadExportResponse(signal, *encoding, response.body)
                         : arrow::Status::Invalid("no content type of OTLP");
  }
  return answer;
}

}  // namespace df::nodes::exporters::otlp_http
