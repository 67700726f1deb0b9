// Where a command finds the admin server of a running engine, and how it is trusted there.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "config/environment.h"
#include "runtime/http1/url.h"
#include "runtime/tls.h"

namespace CLI {
class App;
}

namespace df::app {

struct AdminFlags {
  std::string admin;  ///< HOST:PORT or a URL; empty: DF_ENGINE_ADMIN, or the default address
  std::string token_file;
  std::string tls_ca;
  std::string tls_cert;
  std::string tls_key;
  std::string tls_server_name;

  bool has_tls() const {
    return !tls_ca.empty() || !tls_cert.empty() || !tls_key.empty() || !tls_server_name.empty();
  }
};

/// Adds --admin, --token-file and --tls-... Owner: borrows `flags`.
void AddAdminFlags(CLI::App* command, AdminFlags* flags);

/// What a client needs to know of a server.
struct AdminAccess {
  runtime::http1::Url url;
  std::shared_ptr<const runtime::TlsContext> tls;  ///< null: not encrypted
  std::string token;                               ///< empty: none is shown
};

/// Reads flags and the files that they name. An address without a scheme is encrypted where a flag
/// of TLS is given. Errors: Invalid with the flag and what was found; io for a file.
Result<AdminAccess> ReadAdminFlags(const AdminFlags& flags, const config::Environment& environment);

}  // namespace df::app
