// The other side of a connection in tests that step a loop themselves.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace df::testing {

/// Calls `step` until `done`; gives up after 20 s of real time. Returns whether it is done.
bool StepUntil(const std::function<void()>& step, const std::function<bool()>& done);

/// A TCP connection over loopback that never waits and knows no protocol.
class TcpPeer {
 public:
  /// Connects to a port that somebody listens at.
  explicit TcpPeer(uint16_t port);
  TcpPeer(TcpPeer&& other) noexcept;
  TcpPeer& operator=(TcpPeer&&) = delete;
  ~TcpPeer();

  /// Sends in the Polls that follow.
  void Send(std::string_view bytes) { unsent_ += bytes; }
  /// Moves what can be moved now.
  void Poll();

  std::string& received() { return received_; }
  bool has_sent() const { return unsent_.empty(); }
  /// The other side has closed, or the connection is broken.
  bool is_closed() const { return is_closed_; }
  void Close();

 private:
  friend class TcpAcceptor;
  struct Accepted {
    int socket;
  };
  explicit TcpPeer(Accepted accepted) : socket_(accepted.socket) {}

  int socket_ = -1;
  std::string unsent_;
  std::string received_;
  bool is_closed_ = false;
};

/// Listens at a free port of loopback.
class TcpAcceptor {
 public:
  TcpAcceptor();
  TcpAcceptor(const TcpAcceptor&) = delete;
  TcpAcceptor& operator=(const TcpAcceptor&) = delete;
  ~TcpAcceptor();

  uint16_t port() const { return port_; }
  /// Returns a connection that waits, if there is one.
  std::optional<TcpPeer> Accept();

 private:
  int socket_ = -1;
  uint16_t port_ = 0;
};

}  // namespace df::testing
