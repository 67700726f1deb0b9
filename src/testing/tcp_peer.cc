#include "testing/tcp_peer.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include <arpa/inet.h>
#include <arrow/util/logging.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace df::testing {
namespace {

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void MakeNonBlocking(int socket) { ::fcntl(socket, F_SETFL, O_NONBLOCK); }

}  // namespace

bool StepUntil(const std::function<void()>& step, const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) {
      return false;
    }
    step();
  }
  return true;
}

TcpPeer::TcpPeer(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const sockaddr_in address = Loopback(port);
  ARROW_CHECK_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
                 0);
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  MakeNonBlocking(socket_);
}

TcpPeer::TcpPeer(TcpPeer&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      unsent_(std::move(other.unsent_)),
      received_(std::move(other.received_)),
      is_closed_(other.is_closed_) {}

TcpPeer::~TcpPeer() { Close(); }

void TcpPeer::Close() {
  if (socket_ >= 0) {
    ::close(std::exchange(socket_, -1));
  }
}

void TcpPeer::Poll() {
  if (socket_ < 0) {
    return;
  }
  if (!unsent_.empty()) {
    const ssize_t sent = ::send(socket_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      unsent_.erase(0, static_cast<size_t>(sent));
    }
  }
  std::array<char, 64 << 10> buffer;
  const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), 0);
  if (got > 0) {
    received_.append(buffer.data(), static_cast<size_t>(got));
  } else if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
    is_closed_ = true;
  }
}

TcpAcceptor::TcpAcceptor() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = Loopback(0);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  ARROW_CHECK_EQ(::bind(socket_, generic, size), 0);
  ARROW_CHECK_EQ(::listen(socket_, 16), 0);
  ARROW_CHECK_EQ(::getsockname(socket_, generic, &size), 0);
  port_ = ntohs(address.sin_port);
  MakeNonBlocking(socket_);
}

TcpAcceptor::~TcpAcceptor() { ::close(socket_); }

std::optional<TcpPeer> TcpAcceptor::Accept() {
  const int accepted = ::accept4(socket_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (accepted < 0) {
    return std::nullopt;
  }
  return TcpPeer(TcpPeer::Accepted{accepted});
}

}  // namespace df::testing
