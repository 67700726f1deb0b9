// Sends HTTP/1.1 requests to one host, over connections that it keeps, in the loop of a core.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "runtime/event_loop.h"
#include "runtime/http1/message.h"
#include "runtime/tls.h"

namespace df::runtime::http1 {

struct ClientSettings {
  std::string host;
  uint16_t port = 0;
  std::shared_ptr<const TlsContext> tls;                               ///< null: not encrypted
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(3);  ///< and to agree on keys
  int64_t max_idle_connections = 8;
  /// Less than servers keep it, 60 s and more: a request must not meet their closing it.
  std::chrono::nanoseconds idle_timeout = std::chrono::seconds(30);
  int64_t max_header_bytes = 64 << 10;
  int64_t max_body_bytes = 10 << 20;  ///< of a response
};

struct ClientCounts {
  int64_t connects = 0;  ///< that succeeded
  int64_t requests = 0;  ///< sent, those that were sent again included
};

/// Whether a request failed because its connection ended before a byte of the response came, the
/// request sent or not.
bool IsBrokenOff(const Status& status);

/// Owner: destroying it ends what is under way; so does destroying the task of a request.
/// Calls: the loop.
class Client {
 public:
  /// `loop` is borrowed.
  Client(EventLoop* loop, const ClientSettings& settings);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Sends a request and waits for its response. Any number may be under way, each over a
  /// connection of its own. A kept connection that ends before a byte of the response was closed by
  /// the server for being idle: the request is sent again, once, over a new one.
  /// Errors: kind io; retryable, but for a response that is malformed or longer than the limits.
  Task<Result<Response>> Send(Request request, SteadyTime deadline);

  const ClientCounts& counts() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace df::runtime::http1
