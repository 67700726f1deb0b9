#include "admin/tls_context.h"

#include <string>

namespace df::admin {

Result<std::shared_ptr<const runtime::TlsContext>> MakeTlsContext(
    const config::AdminSettings& settings) {
  if (settings.tls_cert_file.empty() != settings.tls_key_file.empty()) {
    return MakeError(ErrorKind::kConfig,
                     "admin server: TLS needs both a certificate and a key, found one of them");
  }
  if (settings.tls_cert_file.empty()) {
    if (!settings.tls_client_ca_file.empty()) {
      return MakeError(
          ErrorKind::kConfig,
          "admin server: a CA for clients needs a certificate and a key of the server");
    }
    return nullptr;
  }
  runtime::TlsSettings tls;
  tls.cert_file = settings.tls_cert_file;
  tls.key_file = settings.tls_key_file;
  tls.ca_file = settings.tls_client_ca_file;
  auto made = runtime::TlsContext::MakeServer(tls, {"http/1.1"});
  if (!made.ok()) {
    return made.status().WithMessage("admin server: ", made.status().message());
  }
  return made;
}

}  // namespace df::admin
