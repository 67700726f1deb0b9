// Whether a server has refused a request for its size.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "runtime/grpc/status.h"

namespace df::delivery {

/// A request was larger than a server takes.
struct SizeRefusal {
  /// What the server takes at most; nothing where it does not say.
  std::optional<int64_t> max_bytes;
};

/// Reads the message of a refusal. Nothing, where it is about something else: a quota, memory, a
/// queue that is full. Source: what servers of gRPC in Go, Java, C++, Python, Node, .NET and Rust
/// say, and HTTP servers and proxies.
std::optional<SizeRefusal> FindSizeRefusal(std::string_view message);

/// The same of a gRPC call. A server that says when to come again has refused for now, whatever
/// its message says.
std::optional<SizeRefusal> FindSizeRefusal(const runtime::grpc::CallStatus& status);

/// The same of an HTTP answer: 413, and any other refusal whose text says so.
std::optional<SizeRefusal> FindHttpSizeRefusal(int status, std::string_view text);

/// Whether a call may have ended because its request was too large, which some servers do not say:
/// those of gRPC in Java cancel the stream.
bool MayBeSizeRefusal(const runtime::grpc::CallStatus& status);

}  // namespace df::delivery
