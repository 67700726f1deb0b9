// Addresses to listen at.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace df::runtime {

struct SocketAddress {
  std::string host;   ///< numeric, without brackets
  uint16_t port = 0;  ///< 0: any free one

  /// Returns "HOST:PORT", an IPv6 host in brackets.
  std::string ToString() const;

  /// Nobody on another machine reaches it.
  bool is_loopback() const;
};

/// Reads "127.0.0.1:4318", "localhost:4318" or "[::]:4318". Errors: kind config.
Result<SocketAddress> ParseSocketAddress(std::string_view text);

/// Also takes the name of a host, and looks it up, which may take seconds. Errors: kind config for
/// what is no address; kind io when the name is not found.
Result<SocketAddress> ResolveSocketAddress(const std::string& text);

}  // namespace df::runtime
