#include "delivery/size_refusal.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

namespace df::delivery {
namespace {

using runtime::grpc::Code;

/// Parts of messages in lower case. Those of quotas ("ingestion rate limit exceeded while adding
/// 5242880 bytes") and of memory must not match.
constexpr auto kTooLarge = std::to_array<std::string_view>({
    "message larger than max",              // Go, C++, Python, Node
    "after decompression larger than max",  // Go
    "message length too large",             // Rust
    "message exceeds maximum size",         // Java
    "message exceeds the maximum",          // .NET
    "message too large",                    // nginx and others
    "message size exceeds",                 //
    "message is too large",
    "message size of",            // Mimir: ".. is larger than the allowed limit of"
    "bytes is larger than the",   // this engine
    "inflates to more than the",  // this engine
    "request body too large",     // Go
    "request body is too large",  //
    "request body length",        // "... exceeds limit of", Rust
    "request entity too large",   // nginx, Node
    "request too large",          //
    "request is too large",       //
    "payload too large",          // Envoy, HAProxy
    "content too large",          // RFC 9110
    "length limit exceeded",      // Rust
});

/// What stands in front of the limit in such messages.
constexpr auto kBeforeLimit = std::to_array<std::string_view>(
    {" vs. ", " vs ", "the limit is: ", "exceeds maximum size ", "limit of ", "more than the ",
     "at most ", "larger than the ", "larger than max "});

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  });
  return lower;
}

std::optional<int64_t> FindLimit(std::string_view message) {
  for (const std::string_view before : kBeforeLimit) {
    const size_t at = message.find(before);
    if (at == std::string_view::npos) {
      continue;
    }
    int64_t limit = 0;
    const char* begin = message.data() + at + before.size();
    const auto parsed = std::from_chars(begin, message.data() + message.size(), limit);
    if (parsed.ec == std::errc() && limit > 0) {
      return limit;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<SizeRefusal> FindSizeRefusal(std::string_view message) {
  const std::string lower = LowerCase(message);
  const bool is_too_large = std::any_of(
      kTooLarge.begin(), kTooLarge.end(),
      [&lower](std::string_view text) { return lower.find(text) != std::string::npos; });
  return is_too_large ? std::optional(SizeRefusal{FindLimit(lower)}) : std::nullopt;
}

std::optional<SizeRefusal> FindSizeRefusal(const runtime::grpc::CallStatus& status) {
  if (status.ok() || status.retry_delay.has_value()) {
    return std::nullopt;
  }
  constexpr std::string_view kHttp413 = "HTTP status 413";
  if (status.code == Code::kUnknown && status.message.ends_with(kHttp413)) {
    return SizeRefusal();
  }
  return FindSizeRefusal(status.message);
}

std::optional<SizeRefusal> FindHttpSizeRefusal(int status, std::string_view text) {
  if (status < 400) {
    return std::nullopt;
  }
  const std::optional<SizeRefusal> found = FindSizeRefusal(text);
  return status == 413 ? found.value_or(SizeRefusal()) : found;
}

bool MayBeSizeRefusal(const runtime::grpc::CallStatus& status) {
  constexpr std::string_view kReset = "the stream was reset";
  return status.code == Code::kCancelled && status.message.starts_with(kReset);
}

}  // namespace df::delivery
