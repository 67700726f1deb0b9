#include "admin/tls_context.h"

#include <string>

#include <fmt/format.h>
#include <openssl/ssl.h>

#include "runtime/tls.h"

namespace df::admin {
namespace {

namespace ssl = boost::asio::ssl;

Status Check(const boost::system::error_code& error, std::string_view what,
             const std::string& file) {
  if (!error) {
    return Status::OK();
  }
  return MakeError(ErrorKind::kIo, fmt::format("admin server: cannot load the {} '{}': {}", what,
                                               file, error.message()));
}

}  // namespace

Result<std::unique_ptr<ssl::context>> MakeTlsContext(const config::AdminSettings& settings) {
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
  boost::system::error_code error;
  auto context = std::make_unique<ssl::context>(ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  runtime::AllowGoodSuitesOnly(context.get());
  // Sessions are not resumed: a certificate that is revoked would stay good through them.
  SSL_CTX_set_session_cache_mode(context->native_handle(), SSL_SESS_CACHE_OFF);
  context->set_options(
      ssl::context::default_workarounds | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION, error);
  // OpenSSL would ask the terminal for the password of an encrypted key.
  context->set_password_callback([](size_t, ssl::context::password_purpose) { return ""; }, error);
  context->use_certificate_chain_file(settings.tls_cert_file, error);
  ARROW_RETURN_NOT_OK(Check(error, "certificate", settings.tls_cert_file));
  context->use_private_key_file(settings.tls_key_file, ssl::context::pem, error);
  ARROW_RETURN_NOT_OK(Check(error, "key", settings.tls_key_file));
  if (!settings.tls_client_ca_file.empty()) {
    context->load_verify_file(settings.tls_client_ca_file, error);
    ARROW_RETURN_NOT_OK(Check(error, "CA for clients", settings.tls_client_ca_file));
    context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert, error);
  }
  return context;
}

}  // namespace df::admin
