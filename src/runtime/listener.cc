#include "runtime/listener.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <utility>

#include <fmt/format.h>
#include <sys/socket.h>

#include "base/logging.h"
#include "runtime/address.h"
#include "runtime/event_loop_io.h"
#include "runtime/port_holder.h"

namespace df::runtime {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// After an accept that failed, most likely for want of file descriptors.
constexpr std::chrono::milliseconds kAcceptPause{100};

/// Who of this process listens at which port. Calls: from any thread, with `mutex` held.
struct OpenPorts {
  std::mutex mutex;
  std::multimap<uint16_t, std::string> owners;

  bool IsSharedBy(uint16_t port, const std::string& owner) const {
    const auto [begin, end] = owners.equal_range(port);
    return !owner.empty() &&
           std::any_of(begin, end, [&owner](const auto& open) { return open.second == owner; });
  }
  /// Returns who else listens; empty where nobody does, or does not say who he is.
  std::string OtherThan(const std::string& owner, uint16_t port) const {
    const auto [begin, end] = owners.equal_range(port);
    const auto other =
        std::find_if(begin, end, [&owner](const auto& open) { return open.second != owner; });
    return other == end ? "" : other->second;
  }
  void Remove(uint16_t port, const std::string& owner) {
    const auto [begin, end] = owners.equal_range(port);
    const auto own =
        std::find_if(begin, end, [&owner](const auto& open) { return open.second == owner; });
    if (own != end) {
      owners.erase(own);
    }
  }
};

OpenPorts& Ports() {
  static OpenPorts ports;
  return ports;
}

using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

/// Binds and listens. The first of a process does so without SO_REUSEPORT, and fails where
/// anybody else listens, be it an engine of the same user. Only then it lets others of this process
/// join: were it to do so before it listens, two that start at the same time would both get in.
boost::system::error_code BindAndListen(const tcp::endpoint& endpoint, bool joins, bool is_shared,
                                        tcp::acceptor* acceptor) {
  boost::system::error_code error;
  acceptor->open(endpoint.protocol(), error);
  if (!error) {
    acceptor->set_option(tcp::acceptor::reuse_address(true), error);
  }
  if (!error && joins) {
    acceptor->set_option(ReusePort(true), error);
  }
  if (!error) {
    acceptor->bind(endpoint, error);
  }
  if (!error) {
    acceptor->listen(asio::socket_base::max_listen_connections, error);
  }
  if (!error && is_shared && !joins) {
    acceptor->set_option(ReusePort(true), error);
  }
  return error;
}

Status InUse(const std::string& address, std::string holder, uint16_t port) {
  if (holder.empty()) {
    holder = FindPortHolder(port);
  }
  return MakeError(ErrorKind::kIo, fmt::format("cannot listen at {}: the address is in use{}{}",
                                               address, holder.empty() ? "" : " by ", holder));
}

}  // namespace

Listener::Listener(EventLoop* loop, OnSocket on_socket)
    : loop_(loop),
      on_socket_(std::move(on_socket)),
      acceptor_(IoContext(loop)),
      retry_(loop, [this] { Accept(); }) {}

Listener::~Listener() { Close(); }

Result<std::shared_ptr<Listener>> Listener::Listen(EventLoop* loop, const std::string& address,
                                                   const std::string& owner, OnSocket on_socket) {
  auto listener = std::make_shared<Listener>(loop, std::move(on_socket));
  ARROW_RETURN_NOT_OK(listener->Open(address, owner));
  listener->Accept();
  return listener;
}

Status Listener::Open(const std::string& address, const std::string& owner) {
  ARROW_ASSIGN_OR_RAISE(const SocketAddress parsed, ParseSocketAddress(address));
  boost::system::error_code error;
  const tcp::endpoint endpoint(asio::ip::make_address(parsed.host, error), parsed.port);
  std::unique_lock lock(Ports().mutex);
  const bool joins = Ports().IsSharedBy(parsed.port, owner);
  error = BindAndListen(endpoint, joins, !owner.empty(), &acceptor_);
  if (error == asio::error::address_in_use) {
    std::string holder = Ports().OtherThan(owner, parsed.port);
    lock.unlock();
    return InUse(address, std::move(holder), parsed.port);
  }
  if (!error) {
    port_ = acceptor_.local_endpoint(error).port();
  }
  if (error) {
    return MakeError(ErrorKind::kIo,
                     fmt::format("cannot listen at {}: {}", address, error.message()));
  }
  owner_ = owner;
  is_open_ = true;
  Ports().owners.emplace(port_, owner_);
  return Status::OK();
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
  const std::lock_guard lock(Ports().mutex);
  acceptor_.close(ignored);
  if (is_open_) {
    is_open_ = false;
    Ports().Remove(port_, owner_);
  }
}

}  // namespace df::runtime
