// Takes TCP connections at an address. Included by runtime sources only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/ip/tcp.hpp>

#include "base/error.h"
#include "runtime/event_loop.h"

namespace df::runtime {

/// Loops of one process and one owner may listen at one address: the system spreads the
/// connections. Nobody else may. Owner: shared with what is under way; Close before letting go.
/// Calls: the loop.
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  using OnSocket = std::function<void(boost::asio::ip::tcp::socket)>;

  /// `address` is "HOST:PORT" with a numeric host or "localhost"; port 0: any free one. `owner`
  /// says who listens, such as "OTLP over HTTP of pipeline 'default/main'"; empty: it shares with
  /// nobody. `loop` is borrowed. Errors: kind config for an address that is none; kind io when it
  /// cannot listen there, with who does where that can be found.
  static Result<std::shared_ptr<Listener>> Listen(EventLoop* loop, const std::string& address,
                                                  const std::string& owner, OnSocket on_socket);
  explicit Listener(EventLoop* loop, OnSocket on_socket);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  uint16_t port() const { return port_; }

  /// Takes no more; nothing is called any more.
  void Close();

 private:
  Status Open(const std::string& address, const std::string& owner);
  void Accept();

  EventLoop* loop_;
  OnSocket on_socket_;  // null once closed
  boost::asio::ip::tcp::acceptor acceptor_;
  Timer retry_;
  std::string owner_;
  uint16_t port_ = 0;
  bool is_open_ = false;
};

}  // namespace df::runtime
