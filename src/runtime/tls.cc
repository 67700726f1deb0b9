#include "runtime/tls.h"

#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/context.hpp>
#include <fmt/format.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include "base/logging.h"

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

/// Changes when a file does, or another takes its place.
std::string StampOf(const TlsSettings& settings) {
  std::string stamp;
  for (const std::string* file : {&settings.cert_file, &settings.key_file, &settings.ca_file}) {
    struct stat status{};
    if (!file->empty() && stat(file->c_str(), &status) == 0) {
      stamp += fmt::format("{} {} {} {}.{};", status.st_dev, status.st_ino, status.st_size,
                           status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    } else {
      stamp += ';';
    }
  }
  return stamp;
}

std::string NameOf(const TlsSettings& settings) {
  return fmt::format("'{}'", settings.cert_file.empty() ? settings.ca_file : settings.cert_file);
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

TlsContext::TlsContext() = default;
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<const TlsContext>> TlsContext::MakeServer(
    const TlsSettings& settings, std::vector<std::string> protocols) {
  auto made = std::make_shared<TlsContext>();
  ARROW_RETURN_NOT_OK(made->Init(settings, protocols, true));
  return made;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::MakeClient(
    const TlsSettings& settings, std::vector<std::string> protocols) {
  auto made = std::make_shared<TlsContext>();
  ARROW_RETURN_NOT_OK(made->Init(settings, protocols, false));
  return made;
}

Status TlsContext::Init(const TlsSettings& settings, const std::vector<std::string>& protocols,
                        bool is_server) {
  ARROW_RETURN_NOT_OK(CheckParts(settings, is_server));
  settings_ = settings;
  is_server_ = is_server;
  server_name_ = settings.server_name;
  protocol_list_ = ProtocolList(protocols);
  stamp_ = StampOf(settings);
  return Load().Value(&context_);
}

std::shared_ptr<ssl::context> TlsContext::Current() const {
  // A change while they are read shows as a change at the next look.
  std::string stamp = StampOf(settings_);
  const std::lock_guard lock(mutex_);
  if (stamp == stamp_) {
    return context_;
  }
  stamp_ = std::move(stamp);
  auto loaded = Load();
  if (loaded.ok()) {
    context_ = *std::move(loaded);
    LogInfo("TLS: the files of {} have changed and were read again", NameOf(settings_));
  } else {
    LogWarning("TLS: the files of {} have changed, and the earlier ones stay in use: {}",
               NameOf(settings_), loaded.status().message());
  }
  return context_;
}

Result<std::shared_ptr<ssl::context>> TlsContext::Load() const {
  auto context = std::make_shared<ssl::context>(is_server_ ? ssl::context::tls_server
                                                           : ssl::context::tls_client);
  SetCommonOptions(context.get());
  ARROW_RETURN_NOT_OK(LoadIdentity(settings_, context.get()));
  ARROW_RETURN_NOT_OK(is_server_ ? LoadServerParts(context.get()) : LoadClientParts(context.get()));
  return context;
}

Status TlsContext::LoadServerParts(ssl::context* context) const {
  SSL_CTX_set_cipher_list(context->native_handle(), kServerSuites);
  if (!settings_.ca_file.empty() || !settings_.ca_pem.empty()) {
    ARROW_RETURN_NOT_OK(LoadAuthority(settings_, context));
    boost::system::error_code ignored;
    context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert, ignored);
  }
  SSL_CTX_set_alpn_select_cb(context->native_handle(), SelectProtocol,
                             const_cast<std::string*>(&protocol_list_));
  return Status::OK();
}

Status TlsContext::LoadClientParts(ssl::context* context) const {
  ARROW_RETURN_NOT_OK(LoadAuthority(settings_, context));
  boost::system::error_code error;
  if (settings_.trusts_system) {
    context->set_default_verify_paths(error);
    ARROW_RETURN_NOT_OK(Check(error, "CAs of the system", ""));
  }
  context->set_verify_mode(ssl::verify_peer, error);
  SSL_CTX_set_alpn_protos(context->native_handle(),
                          reinterpret_cast<const unsigned char*>(protocol_list_.data()),
                          static_cast<unsigned>(protocol_list_.size()));
  return Status::OK();
}

}  // namespace df::runtime
