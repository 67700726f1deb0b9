#include "runtime/listener.h"

#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <sys/socket.h>

#include "base/logging.h"
#include "runtime/address.h"
#include "runtime/event_loop_io.h"

namespace df::runtime {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// After an accept that failed, most likely for want of file descriptors.
constexpr std::chrono::milliseconds kAcceptPause{100};

}  // namespace

Listener::Listener(EventLoop* loop, OnSocket on_socket)
    : loop_(loop),
      on_socket_(std::move(on_socket)),
      acceptor_(IoContext(loop)),
      retry_(loop, [this] { Accept(); }) {}

Result<std::shared_ptr<Listener>> Listener::Listen(EventLoop* loop, const std::string& address,
                                                   OnSocket on_socket) {
  auto listener = std::make_shared<Listener>(loop, std::move(on_socket));
  ARROW_RETURN_NOT_OK(listener->Open(address));
  listener->Accept();
  return listener;
}

Status Listener::Open(const std::string& address) {
  using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;
  ARROW_ASSIGN_OR_RAISE(const SocketAddress parsed, ParseSocketAddress(address));
  boost::system::error_code error;
  const tcp::endpoint endpoint(asio::ip::make_address(parsed.host, error), parsed.port);
  acceptor_.open(endpoint.protocol(), error);
  if (!error) {
    acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  }
  if (!error) {
    acceptor_.set_option(ReusePort(true), error);
  }
  if (!error) {
    acceptor_.bind(endpoint, error);
  }
  if (!error) {
    acceptor_.listen(asio::socket_base::max_listen_connections, error);
  }
  if (!error) {
    port_ = acceptor_.local_endpoint(error).port();
  }
  return error ? MakeError(ErrorKind::kIo,
                           fmt::format("cannot listen at {}: {}", address, error.message()))
               : Status::OK();
}

void Listener::Accept() {
  acceptor_.async_accept(
      [self = shared_from_this()](const boost::system::error_code& error, tcp::socket socket) {
        if (!self->on_socket_) {
          return;
        }
        if (error) {
          LogWarning("cannot accept a connection: {}", error.message());
          self->retry_.StartAt(self->loop_->clock().Now() + kAcceptPause);
          return;
        }
        boost::system::error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        self->on_socket_(std::move(socket));
        if (self->on_socket_) {
          self->Accept();
        }
      });
}

void Listener::Close() {
  on_socket_ = nullptr;
  retry_.Cancel();
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

}  // namespace df::runtime
