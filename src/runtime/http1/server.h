// Takes HTTP/1.1 connections at a port, in the loop of a core.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "runtime/event_loop.h"
#include "runtime/http1/message.h"
#include "runtime/places.h"
#include "runtime/tls.h"

namespace df::runtime::http1 {

struct ServerSettings {
  std::string address;                    ///< "HOST:PORT"; port 0: any free one
  std::string owner;                      ///< who shares the address, see Listener::Listen
  std::shared_ptr<const TlsContext> tls;  ///< null: not encrypted
  int64_t max_connections = 1024;         ///< more need the place of one that does nothing, or
                                          ///< are answered 503 (over TLS: closed)
  int64_t max_requests = 1024;            ///< between head and answer, of all connections;
                                          ///< more need the place of one that does not arrive
  int64_t max_header_bytes = 16 << 10;
  int64_t max_body_bytes = 4 << 20;
  std::chrono::nanoseconds place_grace = Places::kGrace;  ///< a place of a slow client is safe
  std::chrono::nanoseconds handshake_timeout = std::chrono::seconds(10);
  std::chrono::nanoseconds idle_timeout = std::chrono::seconds(60);     ///< between requests
  std::chrono::nanoseconds request_timeout = std::chrono::seconds(30);  ///< head, then body, arrive
  std::chrono::nanoseconds write_timeout = std::chrono::seconds(30);    ///< answer is taken
};

struct ServerCounts {
  int64_t connections = 0;          ///< accepted
  int64_t refused_connections = 0;  ///< beyond the limit; or they made room, see Places
  int64_t broken_connections = 0;   ///< ended in the middle of a request or an answer
  int64_t requests = 0;             ///< whose head has come
};

/// Answers requests. Owner: outlives the server. Calls: the loop.
class RequestHandler {
 public:
  /// The head is there: an answer refuses the request without its body, and ends the connection.
  /// What keeps the connection is an answer of Respond.
  virtual std::optional<Response> Admit(const Request& head) = 0;

  /// Called for several requests at a time. Destroyed where it waits when the server is.
  virtual Task<Response> Respond(Request request) = 0;

  /// Makes the answer to a request that breaks a rule of the server, and that ends its connection:
  /// 400, 408, 413, 431, 501, or 503 when there are too many connections or requests. `head` has
  /// only a peer where it was not read.
  virtual Response Refuse(int status, std::string_view reason, const Request& head) = 0;

 protected:
  ~RequestHandler() = default;
};

/// Several loops of one owner may listen at one address: the system spreads the connections.
/// Owner: destroying it ends all connections and calls at once. Calls: the loop.
class Server {
 public:
  /// `loop` and `handler` are borrowed. Errors: kind config for an address that is none; kind io
  /// when it cannot listen there.
  static Result<std::unique_ptr<Server>> Listen(EventLoop* loop, const ServerSettings& settings,
                                                RequestHandler* handler);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  uint16_t port() const;
  const ServerCounts& counts() const;
  int64_t num_connections() const;

  /// Takes no connections any more, and ends those there are: at once where none of a request has
  /// come, else with its answer. Does not wait.
  void Stop();
  /// Stops, and waits until the last connection has ended, or until the deadline.
  Task<void> Drain(SteadyTime deadline);

 private:
  class State;
  explicit Server(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace df::runtime::http1
