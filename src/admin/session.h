// One connection of a client, from its first byte to its last.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include "admin/dispatcher.h"
#include "admin/exchange.h"
#include "runtime/places.h"
#include "runtime/tls.h"

namespace df::admin {

inline constexpr std::chrono::milliseconds kPollInterval{20};
inline constexpr uint32_t kMaxHeaderBytes = 16 * 1024;

struct SessionLimits {
  uint64_t max_body_bytes = 0;
  /// Of each of: the wait for a request, its header, its body, the reply.
  std::chrono::nanoseconds timeout{0};
};

/// Calls: on the thread of the server. Owner: a shared pointer that Run keeps until it ends.
class Session : public std::enable_shared_from_this<Session> {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  template <typename T>
  using Awaitable = boost::asio::awaitable<T>;

  /// `tls`: null for plain HTTP. Both outlive the session.
  Session(Socket socket, const runtime::TlsContext* tls, Dispatcher* dispatcher,
          const SessionLimits& limits);

  /// Answers requests until the client goes, breaks a rule or takes too long.
  Awaitable<void> Run();

  /// Takes a place, which may go to somebody else while the client is silent or slow. Returns false
  /// if all places are taken. `places` outlives the session. Calls: once, before Run.
  bool TakePlace(runtime::Places* places);

  /// Tells the client that there are too many connections, and ends.
  Awaitable<void> Refuse();

  /// Ends after the request that is being answered, at once when there is none. An answer that is
  /// not there yet is not waited for any more.
  void Stop();

  /// Ends at once.
  void Abort();

 private:
  struct Written {
    Reply reply;
    bool is_head = false;
    bool keeps_alive = false;
    unsigned version = 11;
  };

  template <typename Stream>
  Awaitable<void> Serve(Stream& stream);
  /// Returns whether another request may follow.
  template <typename Stream>
  Awaitable<bool> ServeOne(Stream& stream);
  template <typename Stream>
  Awaitable<bool> RefuseBroken(Stream& stream, boost::system::error_code error);
  template <typename Stream>
  Awaitable<bool> Write(Stream& stream, Written written);
  Awaitable<Reply> Await(Answer answer);
  Awaitable<void> Close();

  /// After `duration` the client has no more say: what it sends is not read (so that it can be told
  /// so), or, with `closes`, the connection is closed.
  void SetDeadline(std::chrono::nanoseconds duration, bool closes);
  void ClearDeadline();

  Socket socket_;
  std::string peer_;  ///< "HOST:PORT"
  std::optional<runtime::Place> place_;
  std::shared_ptr<boost::asio::ssl::context> tls_context_;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
  Dispatcher* dispatcher_;
  SessionLimits limits_;
  boost::asio::steady_timer deadline_;
  boost::asio::steady_timer poll_timer_;
  boost::beast::flat_buffer buffer_;
  uint64_t deadline_round_ = 0;  ///< a deadline of an earlier round has no effect
  bool is_late_ = false;
  bool is_busy_ = false;  ///< a request has begun to arrive
  bool is_stopping_ = false;
};

}  // namespace df::admin
