// Takes HTTP/2 connections at a port, in the loop of a core.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "runtime/http2/settings.h"
#include "runtime/http2/stream.h"
#include "runtime/tls.h"

namespace df::runtime::http2 {

struct ServerSettings {
  std::string address;  ///< "host:port", numeric; port 0: any free one
  std::string owner;    ///< who shares the address, see Listener::Listen
  ConnectionSettings connection;
  std::shared_ptr<const TlsContext> tls;  ///< null: not encrypted
  int64_t max_connections = 1024;         ///< more need the place of one that does nothing
  int64_t max_streams = 1024;             ///< of all connections; more are refused
};

struct ServerCounts {
  int64_t connections = 0;          ///< accepted
  int64_t refused_connections = 0;  ///< beyond the limit; or they made room, see Places
  int64_t broken_connections = 0;   ///< ended by anything but a drain or the peer's closing
  int64_t refused_streams = 0;      ///< beyond the limit
};

/// Answers requests. Owner: outlives the server.
class StreamHandler {
 public:
  /// Called with the headers there. What it has not finished when it returns, or throws, is
  /// reset.
  virtual Task<void> OnStream(StreamPtr stream) = 0;

 protected:
  ~StreamHandler() = default;
};

/// Several loops of one owner may listen at one address: the system spreads the connections.
/// Owner: destroying it ends all connections and handlers at once. Calls: the loop.
class Server {
 public:
  /// `loop` and `handler` are borrowed. Errors: kind config for an address that is none; kind io
  /// when it cannot listen there.
  static Result<std::unique_ptr<Server>> Listen(EventLoop* loop, const ServerSettings& settings,
                                                StreamHandler* handler);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  uint16_t port() const;
  const ServerCounts& counts() const;
  int64_t num_streams() const;

  /// Takes no connections and streams any more; those under way go on.
  void Stop();
  /// Stops, and waits until what is under way has ended, or until the deadline, which cuts it.
  Task<void> Drain(SteadyTime deadline);

 private:
  class State;
  explicit Server(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace df::runtime::http2
