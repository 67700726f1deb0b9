#include "runtime/tls.h"

#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/context.hpp>
#include <fmt/format.h>
#include <openssl/ssl.h>

namespace df::runtime {
namespace {

namespace ssl = boost::asio::ssl;

Status Check(const boost::system::error_code& error, std::string_view what,
             const std::string& file) {
  if (!error) {
    return Status::OK();
  }
  const std::string place = file.empty() ? "text" : fmt::format("file '{}'", file);
  return MakeError(ErrorKind::kIo,
                   fmt::format("TLS: cannot load the {} of {}: {}", what, place, error.message()));
}

Status CheckParts(const TlsSettings& settings, bool is_server) {
  const auto twice = [](const std::string& file, const std::string& text, std::string_view what) {
    return file.empty() || text.empty()
               ? Status::OK()
               : MakeError(ErrorKind::kConfig,
                           fmt::format("TLS: the {0} is given both as a file and as text", what));
  };
  ARROW_RETURN_NOT_OK(twice(settings.cert_file, settings.cert_pem, "certificate"));
  ARROW_RETURN_NOT_OK(twice(settings.key_file, settings.key_pem, "key"));
  ARROW_RETURN_NOT_OK(twice(settings.ca_file, settings.ca_pem, "CA"));
  const bool has_cert = !settings.cert_file.empty() || !settings.cert_pem.empty();
  const bool has_key = !settings.key_file.empty() || !settings.key_pem.empty();
  if (has_cert != has_key) {
    return MakeError(ErrorKind::kConfig,
                     "TLS needs both a certificate and a key, found one of them");
  }
  if (is_server && !has_cert) {
    return MakeError(ErrorKind::kConfig, "TLS of a server needs a certificate and a key");
  }
  return Status::OK();
}

Status LoadIdentity(const TlsSettings& settings, ssl::context* context) {
  boost::system::error_code error;
  if (!settings.cert_file.empty()) {
    context->use_certificate_chain_file(settings.cert_file, error);
  } else if (!settings.cert_pem.empty()) {
    context->use_certificate_chain(boost::asio::buffer(settings.cert_pem), error);
  }
  ARROW_RETURN_NOT_OK(Check(error, "certificate", settings.cert_file));
  if (!settings.key_file.empty()) {
    context->use_private_key_file(settings.key_file, ssl::context::pem, error);
  } else if (!settings.key_pem.empty()) {
    context->use_private_key(boost::asio::buffer(settings.key_pem), ssl::context::pem, error);
  }
  return Check(error, "key", settings.key_file);
}

Status LoadAuthority(const TlsSettings& settings, ssl::context* context) {
  boost::system::error_code error;
  if (!settings.ca_file.empty()) {
    context->load_verify_file(settings.ca_file, error);
  } else if (!settings.ca_pem.empty()) {
    context->add_certificate_authority(boost::asio::buffer(settings.ca_pem), error);
  }
  return Check(error, "CA", settings.ca_file);
}

// What HTTP/2 allows of TLS 1.2: the others have no forward secrecy, or are open to the oracles of
// padding. Those of TLS 1.3 are all good.
constexpr const char* kServerSuites = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK";

void SetCommonOptions(ssl::context* context) {
  boost::system::error_code ignored;
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  // Sessions are not resumed: a certificate that is revoked would stay good through them.
  SSL_CTX_set_session_cache_mode(context->native_handle(), SSL_SESS_CACHE_OFF);
  context->set_options(
      ssl::context::default_workarounds | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION, ignored);
  // OpenSSL would ask the terminal for the password of an encrypted key.
  context->set_password_callback([](size_t, ssl::context::password_purpose) { return ""; },
                                 ignored);
}

std::string ProtocolList(const std::vector<std::string>& protocols) {
  std::string list;
  for (const std::string& protocol : protocols) {
    list += static_cast<char>(protocol.size());
    list += protocol;
  }
  return list;
}

int SelectProtocol(SSL*, const unsigned char** out, unsigned char* out_size,
                   const unsigned char* offered, unsigned offered_size, void* argument) {
  const auto& ours = *static_cast<const std::string*>(argument);
  unsigned char* selected = nullptr;
  const int found = SSL_select_next_proto(
      &selected, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
      static_cast<unsigned>(ours.size()), offered, offered_size);
  *out = selected;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace

void AllowGoodSuitesOnly(ssl::context* context) {
  SSL_CTX_set_cipher_list(context->native_handle(), kServerSuites);
}

TlsContext::TlsContext() = default;
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<const TlsContext>> TlsContext::MakeServer(
    const TlsSettings& settings, std::vector<std::string> protocols) {
  ARROW_RETURN_NOT_OK(CheckParts(settings, true));
  auto made = std::make_shared<TlsContext>();
  made->context_ = std::make_unique<ssl::context>(ssl::context::tls_server);
  made->protocol_list_ = ProtocolList(protocols);
  ssl::context* context = made->context_.get();
  SetCommonOptions(context);
  AllowGoodSuitesOnly(context);
  ARROW_RETURN_NOT_OK(LoadIdentity(settings, context));
  if (!settings.ca_file.empty() || !settings.ca_pem.empty()) {
    ARROW_RETURN_NOT_OK(LoadAuthority(settings, context));
    boost::system::error_code ignored;
    context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert, ignored);
  }
  SSL_CTX_set_alpn_select_cb(context->native_handle(), SelectProtocol, &made->protocol_list_);
  return made;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::MakeClient(
    const TlsSettings& settings, std::vector<std::string> protocols) {
  ARROW_RETURN_NOT_OK(CheckParts(settings, false));
  auto made = std::make_shared<TlsContext>();
  made->context_ = std::make_unique<ssl::context>(ssl::context::tls_client);
  made->protocol_list_ = ProtocolList(protocols);
  made->server_name_ = settings.server_name;
  ssl::context* context = made->context_.get();
  SetCommonOptions(context);
  ARROW_RETURN_NOT_OK(LoadIdentity(settings, context));
  ARROW_RETURN_NOT_OK(LoadAuthority(settings, context));
  boost::system::error_code error;
  if (settings.trusts_system) {
    context->set_default_verify_paths(error);
    ARROW_RETURN_NOT_OK(Check(error, "CAs of the system", ""));
  }
  context->set_verify_mode(ssl::verify_peer, error);
  SSL_CTX_set_alpn_protos(context->native_handle(),
                          reinterpret_cast<const unsigned char*>(made->protocol_list_.data()),
                          static_cast<unsigned>(made->protocol_list_.size()));
  return made;
}

}  // namespace df::runtime
