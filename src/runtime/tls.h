// What both sides of an encrypted connection need: certificates, keys, and whom to trust.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"

namespace boost::asio::ssl {
class context;
}  // namespace boost::asio::ssl

namespace df::runtime {

/// Each part is a file of PEM or its text; at most one of the two.
struct TlsSettings {
  std::string cert_file;
  std::string cert_pem;
  std::string key_file;
  std::string key_pem;
  /// Whom to trust. A server that has one asks every client for a certificate of it.
  std::string ca_file;
  std::string ca_pem;
  /// Client: also trust what the system trusts.
  bool trusts_system = true;
  /// Client: the name that the certificate of the server has to carry, and that is sent to it;
  /// empty: the host of the address.
  std::string server_name;
};

/// Leaves a server the suites with forward secrecy and authenticated encryption.
void AllowGoodSuitesOnly(boost::asio::ssl::context* context);

/// Holds certificates and keys, loaded and checked once. Owner: shared by all connections made
/// with it; immutable. Calls: from any thread.
class TlsContext {
 public:
  /// For TLS 1.2 and newer. `protocols` are offered (client) or accepted (server) by ALPN, the
  /// best first, such as "h2".
  /// Errors: kind config where parts that belong together are missing; kind io with the file and
  /// OpenSSL's reason.
  static Result<std::shared_ptr<const TlsContext>> MakeServer(const TlsSettings& settings,
                                                              std::vector<std::string> protocols);
  static Result<std::shared_ptr<const TlsContext>> MakeClient(const TlsSettings& settings,
                                                              std::vector<std::string> protocols);

  TlsContext();
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  boost::asio::ssl::context& native() const { return *context_; }
  const std::string& server_name() const { return server_name_; }

 private:
  std::unique_ptr<boost::asio::ssl::context> context_;
  std::string server_name_;
  std::string protocol_list_;  // each behind a byte of its length
};

}  // namespace df::runtime
