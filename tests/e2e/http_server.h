// A server of HTTP/1.1 that gives every request the same answer, none, or what a test says.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace df::e2e {

/// Listens on a free port of 127.0.0.1. Owner: the destructor ends it.
class HttpServer {
 public:
  /// `answer` is a whole response, written for each request; empty: requests are read and never
  /// answered.
  explicit HttpServer(std::string answer);

  /// Returns a whole response to a request, of which the head and the body are given. Called on
  /// threads of the server, one for each connection.
  using Handler = std::function<std::string(std::string_view head, std::string_view body)>;
  explicit HttpServer(Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  uint16_t port() const { return port_; }

 private:
  void Accept();
  void Serve(int connection) const;

  Handler handler_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::mutex mutex_;
  bool is_ending_ = false;
  std::vector<int> connections_;
  std::vector<std::thread> serving_;
  std::thread accepting_;
};

/// Returns a port of 127.0.0.1 on which nobody listens.
uint16_t DeadPort();

}  // namespace df::e2e
