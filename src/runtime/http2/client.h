// Makes and keeps an HTTP/2 connection to one peer, in the loop of a core.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "runtime/http2/settings.h"
#include "runtime/http2/stream.h"
#include "runtime/tls.h"

namespace df::runtime::http2 {

struct ClientSettings {
  std::string host;
  uint16_t port = 0;
  ConnectionSettings connection;
  std::shared_ptr<const TlsContext> tls;  ///< null: not encrypted
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(3);
  /// Between attempts to connect, doubled by each that fails.
  std::chrono::nanoseconds first_backoff = std::chrono::milliseconds(100);
  std::chrono::nanoseconds max_backoff = std::chrono::seconds(10);
};

/// Connects when a stream is wanted and no connection is there. Names other than "localhost" are
/// looked up by the system's resolver, on a thread that the I/O library keeps for it.
/// Owner: destroying it breaks its streams. Calls: the loop.
class Client {
 public:
  /// `loop` is borrowed.
  Client(EventLoop* loop, const ClientSettings& settings);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Opens a stream, waiting for the connection and for a place among its streams.
  /// Errors: kind io, retryable: not connected (at once, when the last attempt failed and the next
  /// is not due yet), or the deadline has passed.
  Task<Result<StreamPtr>> Open(Headers request, SteadyTime deadline);

  bool is_connected() const;
  int64_t num_connects() const;  ///< attempts that succeeded

  /// Lets the connection end with its last stream; a new stream makes a new one.
  void Drain();

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace df::runtime::http2
