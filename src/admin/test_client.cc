#include "admin/test_client.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace df::admin {
namespace {

constexpr int kPatienceSeconds = 30;

int Connect(uint16_t port) {
  const int made = socket(AF_INET, SOCK_STREAM, 0);
  const timeval patience = {.tv_sec = kPatienceSeconds, .tv_usec = 0};
  setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(made, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    close(made);
    return -1;
  }
  return made;
}

void ReadHead(std::string_view head, ClientReply* reply) {
  size_t line_end = head.find("\r\n");
  reply->status = std::atoi(std::string(head.substr(9, 3)).c_str());
  while (line_end != std::string_view::npos) {
    head.remove_prefix(line_end + 2);
    line_end = head.find("\r\n");
    const std::string_view line = head.substr(0, line_end);
    const size_t colon = line.find(": ");
    if (colon != std::string_view::npos) {
      std::string name(line.substr(0, colon));
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      reply->headers[name] = line.substr(colon + 2);
    }
  }
}

}  // namespace

struct TestClient::Tls {
  SSL_CTX* context = nullptr;
  SSL* connection = nullptr;
  ~Tls() {
    SSL_free(connection);
    SSL_CTX_free(context);
  }
};

TestClient::TestClient(uint16_t port) : socket_(Connect(port)) {}

TestClient::TestClient(uint16_t port, const ClientTls& tls) : socket_(Connect(port)) {
  auto made = std::make_unique<Tls>();
  made->context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_load_verify_locations(made->context, tls.ca_file.c_str(), nullptr);
  SSL_CTX_set_verify(made->context, SSL_VERIFY_PEER, nullptr);
  if (!tls.cert_file.empty()) {
    SSL_CTX_use_certificate_chain_file(made->context, tls.cert_file.c_str());
    SSL_CTX_use_PrivateKey_file(made->context, tls.key_file.c_str(), SSL_FILETYPE_PEM);
  }
  made->connection = SSL_new(made->context);
  SSL_set_fd(made->connection, socket_);
  if (SSL_connect(made->connection) == 1) {
    tls_ = std::move(made);
  } else {
    close(socket_);
    socket_ = -1;
  }
}

TestClient::~TestClient() {
  tls_.reset();
  if (socket_ >= 0) {
    close(socket_);
  }
}

bool TestClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t num_sent =
        tls_ != nullptr ? SSL_write(tls_->connection, bytes.data(), static_cast<int>(bytes.size()))
                        : send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (num_sent <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<size_t>(num_sent));
  }
  return true;
}

bool TestClient::Fill() {
  std::array<char, 16 * 1024> bytes;
  const ssize_t num_read = tls_ != nullptr ? SSL_read(tls_->connection, bytes.data(), bytes.size())
                                           : recv(socket_, bytes.data(), bytes.size(), 0);
  if (num_read <= 0) {
    return false;
  }
  buffered_.append(bytes.data(), static_cast<size_t>(num_read));
  return true;
}

ClientReply TestClient::Receive(bool is_head) {
  ClientReply reply;
  size_t head_end = buffered_.find("\r\n\r\n");
  while (head_end == std::string::npos) {
    if (!Fill()) {
      return reply;
    }
    head_end = buffered_.find("\r\n\r\n");
  }
  ReadHead(std::string_view(buffered_).substr(0, head_end), &reply);
  buffered_.erase(0, head_end + 4);
  const size_t length =
      is_head ? 0 : static_cast<size_t>(std::atol(reply.headers["content-length"].c_str()));
  while (buffered_.size() < length && Fill()) {
  }
  reply.body = buffered_.substr(0, length);
  buffered_.erase(0, length);
  reply.json = nlohmann::json::parse(reply.body, nullptr, false);
  return reply;
}

ClientReply TestClient::Ask(std::string_view method, std::string_view target,
                            const Headers& headers, std::string_view body) {
  std::string request = fmt::format("{} {} HTTP/1.1\r\n", method, target);
  bool has_host = false;
  for (const auto& [name, value] : headers) {
    request += fmt::format("{}: {}\r\n", name, value);
    has_host = has_host || name == "Host";
  }
  if (!has_host) {
    request += "Host: localhost\r\n";
  }
  if (!body.empty()) {
    request += fmt::format("Content-Length: {}\r\n", body.size());
  }
  Send(fmt::format("{}\r\n{}", request, body));
  return Receive(method == "HEAD");
}

bool TestClient::IsClosed() {
  if (!buffered_.empty()) {
    return false;
  }
  std::array<char, 64> bytes;
  if (tls_ != nullptr) {
    return SSL_read(tls_->connection, bytes.data(), bytes.size()) <= 0;
  }
  const ssize_t num_read = recv(socket_, bytes.data(), bytes.size(), 0);
  return num_read == 0 || (num_read < 0 && errno == ECONNRESET);
}

ClientReply AskOnce(uint16_t port, std::string_view method, std::string_view target,
                    const TestClient::Headers& headers, std::string_view body) {
  TestClient client(port);
  return client.Ask(method, target, headers, body);
}

}  // namespace df::admin
