#include "http_client.h"

#include <array>
#include <sstream>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace df::e2e {
namespace {

/// Returns a connected socket, or -1.
int Connect(uint16_t port) {
  const int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval at_most{.tv_sec = 60, .tv_usec = 0};
  setsockopt(socket_fd, SOL_SOCKET, SO_RCVTIMEO, &at_most, sizeof at_most);
  if (connect(socket_fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close(socket_fd);
    return -1;
  }
  return socket_fd;
}

}  // namespace

HttpAnswer Http(uint16_t port, const std::string& method, const std::string& target,
                const std::string& body, const std::string& content_type) {
  const int socket_fd = Connect(port);
  if (socket_fd < 0) {
    return {};
  }
  std::string request = method + " " + target +
                        " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
                        "\r\nConnection: close\r\n";
  if (!content_type.empty()) {
    request += "Content-Type: " + content_type + "\r\n";
  }
  request += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  std::string answer;
  if (send(socket_fd, request.data(), request.size(), MSG_NOSIGNAL) ==
      static_cast<ssize_t>(request.size())) {
    std::array<char, 65536> buffer{};
    ssize_t size = 0;
    while ((size = recv(socket_fd, buffer.data(), buffer.size(), 0)) > 0) {
      answer.append(buffer.data(), static_cast<size_t>(size));
    }
  }
  close(socket_fd);
  const size_t end_of_head = answer.find("\r\n\r\n");
  if (end_of_head == std::string::npos || answer.size() < 12) {
    return {};
  }
  return {std::stoi(answer.substr(9, 3)), answer.substr(end_of_head + 4)};
}

std::map<std::string, double> ReadSeries(const std::string& text) {
  std::map<std::string, double> series;
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    const size_t space = line.rfind(' ');
    if (!line.empty() && line[0] != '#' && space != std::string::npos) {
      series[line.substr(0, space)] = std::stod(line.substr(space + 1));
    }
  }
  return series;
}

double Sum(const std::map<std::string, double>& series, const std::string& metric,
           const std::map<std::string, std::string>& labels) {
  double sum = 0;
  for (const auto& [name, value] : series) {
    bool is_wanted = name.substr(0, name.find('{')) == metric;
    for (const auto& [label, text] : labels) {
      is_wanted &= name.find(label + "=\"" + text + "\"") != std::string::npos;
    }
    sum += is_wanted ? value : 0;
  }
  return sum;
}

}  // namespace df::e2e
