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
};

/// Reads "127.0.0.1:4318", "localhost:4318" or "[::]:4318". Errors: kind config.
Result<SocketAddress> ParseSocketAddress(std::string_view text);

}  // namespace df::runtime
