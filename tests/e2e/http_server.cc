#include "http_server.h"

#include <array>
#include <cstdlib>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace df::e2e {
namespace {

int Bind(uint16_t* port) {
  const int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(socket_fd, generic, size) != 0 || getsockname(socket_fd, generic, &size) != 0) {
    std::abort();
  }
  *port = ntohs(address.sin_port);
  return socket_fd;
}

}  // namespace

uint16_t DeadPort() {
  uint16_t port = 0;
  close(Bind(&port));
  return port;
}

HttpServer::HttpServer(std::string answer)
    : HttpServer(
          [answer = std::move(answer)](std::string_view, std::string_view) { return answer; }) {}

HttpServer::HttpServer(Handler handler) : handler_(std::move(handler)) {
  listener_ = Bind(&port_);
  listen(listener_, 64);
  accepting_ = std::thread([this] { Accept(); });
}

HttpServer::~HttpServer() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
    shutdown(listener_, SHUT_RDWR);
    for (const int connection : connections_) {
      shutdown(connection, SHUT_RDWR);
    }
  }
  accepting_.join();
  for (std::thread& thread : serving_) {
    thread.join();
  }
  for (const int connection : connections_) {
    close(connection);
  }
  close(listener_);
}

void HttpServer::Accept() {
  while (true) {
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const std::lock_guard lock(mutex_);
    if (connection >= 0) {
      connections_.push_back(connection);
    }
    if (connection < 0 || is_ending_) {
      return;
    }
    serving_.emplace_back([this, connection] { Serve(connection); });
  }
}

void HttpServer::Serve(int connection) const {
  std::string text;
  std::array<char, 65536> buffer;
  while (true) {
    const ssize_t size = read(connection, buffer.data(), buffer.size());
    if (size <= 0) {
      return;
    }
    text.append(buffer.data(), static_cast<size_t>(size));
    while (true) {
      const size_t head = text.find("\r\n\r\n");
      const size_t key = text.find("ontent-");  // Content-Length, in either case
      const size_t length_at = text.find("ength: ", key);
      if (head == std::string::npos || length_at == std::string::npos || length_at > head) {
        break;
      }
      const size_t length = std::strtoul(text.c_str() + length_at + 7, nullptr, 10);
      if (text.size() < head + 4 + length) {
        break;
      }
      const std::string_view request(text);
      const std::string answer =
          handler_(request.substr(0, head), request.substr(head + 4, length));
      text.erase(0, head + 4 + length);
      if (!answer.empty() && write(connection, answer.data(), answer.size()) < 0) {
        return;
      }
    }
  }
}

}  // namespace df::e2e
