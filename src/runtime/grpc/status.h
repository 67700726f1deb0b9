// How a gRPC call ended, and the header fields that say so.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/http2/settings.h"

namespace df::runtime::grpc {

enum class Code : uint8_t {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

/// Returns the name that the specification gives it, such as "RESOURCE_EXHAUSTED".
std::string_view Name(Code code);

struct CallStatus {
  Code code = Code::kOk;
  std::string message;  ///< UTF-8
  /// When to try again, from google.rpc.RetryInfo; nothing where the peer did not say.
  std::optional<std::chrono::nanoseconds> retry_delay;

  bool ok() const { return code == Code::kOk; }
  /// "UNAVAILABLE: the queue is full".
  std::string ToString() const;
};

CallStatus MakeStatus(Code code, std::string message);

/// Appends grpc-status, grpc-message and, where there is a retry delay, grpc-status-details-bin.
void AppendStatus(const CallStatus& status, http2::Headers* headers);

/// Reads what AppendStatus writes, from any peer. Nothing when there is no grpc-status.
std::optional<CallStatus> FindStatus(const http2::Headers& headers);

/// The status of an answer that is not gRPC, by its HTTP status, as gRPC maps them.
CallStatus StatusOfHttp(std::string_view http_status);

/// The status of a stream that ended by an HTTP/2 error code.
CallStatus StatusOfReset(uint32_t error_code, bool is_refused);

/// Writes and reads the field grpc-timeout ("250m"). Nothing for what is none.
std::string FormatTimeout(std::chrono::nanoseconds timeout);
std::optional<std::chrono::nanoseconds> ParseTimeout(std::string_view text);

}  // namespace df::runtime::grpc
