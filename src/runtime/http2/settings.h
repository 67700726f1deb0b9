// What an HTTP/2 connection is allowed to take, and how long it may take for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace df::runtime::http2 {

struct Header {
  std::string name;  ///< lower case
  std::string value;
};
using Headers = std::vector<Header>;

/// Returns the value of the first header of that name, or null.
const std::string* Find(const Headers& headers, std::string_view name);

struct ConnectionSettings {
  int64_t max_concurrent_streams = 256;  ///< server: told to the peer
  int64_t max_header_bytes = 16 << 10;   ///< names and values of one block
  int64_t stream_window_bytes = 1 << 20;
  int64_t connection_window_bytes = 8 << 20;
  int64_t max_buffered_write_bytes = 256 << 10;  ///< of one stream; Write waits beyond it
  /// Agreeing on keys and on settings.
  std::chrono::nanoseconds handshake_timeout = std::chrono::seconds(10);
  /// A peer that takes nothing of what is written for so long is cut.
  std::chrono::nanoseconds write_timeout = std::chrono::seconds(30);
  /// Server: a stream whose client takes nothing of its answer for so long is reset, since only
  /// what it is given would tell whether it is still there; 0: never.
  std::chrono::nanoseconds stalled_stream_timeout = std::chrono::seconds(60);
  /// A ping after so long without a byte from the peer; 0: none.
  std::chrono::nanoseconds keepalive_interval = std::chrono::seconds(30);
  std::chrono::nanoseconds keepalive_timeout = std::chrono::seconds(10);
  /// Also while there are no streams; servers may take that for abuse.
  bool keepalive_while_idle = true;
  /// A connection without streams is closed after so long; 0: never.
  std::chrono::nanoseconds idle_timeout{0};
};

}  // namespace df::runtime::http2
