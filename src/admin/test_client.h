// A client on plain sockets that shares no code with the server.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace df::admin {

struct ClientReply {
  int status = 0;                              ///< 0: the server has closed without a reply
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
  nlohmann::json json;  ///< of a JSON body; discarded otherwise
};

/// How a client takes part in TLS. Names are of PEM files; `ca_file` is what it trusts.
struct ClientTls {
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
};

/// One connection. Every wait ends after 30 s, and the test fails by what it then sees.
class TestClient {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  explicit TestClient(uint16_t port);
  TestClient(uint16_t port, const ClientTls& tls);
  ~TestClient();
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  /// Sends bytes as they are. Returns whether the connection took them.
  bool Send(std::string_view bytes);

  /// Reads one reply; of a HEAD request without the body that its header announces.
  ClientReply Receive(bool is_head = false);

  /// Sends one request with a Host header, unless `headers` has one, and reads its reply.
  ClientReply Ask(std::string_view method, std::string_view target, const Headers& headers = {},
                  std::string_view body = {});

  /// Reads until the server closes. Returns whether it did, and did not send anything before.
  bool IsClosed();

  bool has_tls() const { return tls_ != nullptr; }

 private:
  struct Tls;
  /// Reads some bytes into what is buffered. Returns false at the end.
  bool Fill();

  int socket_ = -1;
  std::unique_ptr<Tls> tls_;
  std::string buffered_;
};

/// One request on a connection of its own.
ClientReply AskOnce(uint16_t port, std::string_view method, std::string_view target,
                    const TestClient::Headers& headers = {}, std::string_view body = {});

}  // namespace df::admin
