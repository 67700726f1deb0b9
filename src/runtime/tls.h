// What both sides of an encrypted connection need: certificates, keys, and whom to trust.
#pragma once

#include <memory>
#include <mutex>
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

/// Holds certificates and keys. Those of files are read again when a file has changed: connections
/// made from then on have the new ones. What cannot be read then, or does not fit together (a
/// certificate whose key is still to be written), is named in the log, and the earlier ones stay.
/// Owner: shared by all connections made with it. Calls: from any thread.
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

  /// Returns what a new connection is to be made with. Cost: a look at each file.
  std::shared_ptr<boost::asio::ssl::context> Current() const;
  const std::string& server_name() const { return server_name_; }

 private:
  Status Init(const TlsSettings& settings, const std::vector<std::string>& protocols,
              bool is_server);
  Result<std::shared_ptr<boost::asio::ssl::context>> Load() const;
  Status LoadServerParts(boost::asio::ssl::context* context) const;
  Status LoadClientParts(boost::asio::ssl::context* context) const;

  TlsSettings settings_;
  bool is_server_ = false;
  std::string server_name_;
  std::string protocol_list_;  // each behind a byte of its length
  mutable std::mutex mutex_;
  mutable std::shared_ptr<boost::asio::ssl::context> context_;  // by mutex_, as is stamp_
  mutable std::string stamp_;                                   // of the files when they were read
};

}  // namespace df::runtime
