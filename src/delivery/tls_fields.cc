#include "delivery/tls_fields.h"

#include <string>

namespace df::delivery {
namespace {

using runtime::TlsSettings;

void CheckOnce(const config::Section& section, const std::string& file, const std::string& text,
               std::string_view name) {
  if (!file.empty() && !text.empty()) {
    section.Add(fmt::format("found {0}_file and {0}_pem, expected one of the two", name));
  }
}

/// Returns whether there is a certificate.
bool CheckIdentity(const config::Section& section, const TlsSettings& settings) {
  CheckOnce(section, settings.cert_file, settings.cert_pem, "cert");
  CheckOnce(section, settings.key_file, settings.key_pem, "key");
  const bool has_cert = !settings.cert_file.empty() || !settings.cert_pem.empty();
  const bool has_key = !settings.key_file.empty() || !settings.key_pem.empty();
  if (has_cert != has_key) {
    section.Add(fmt::format("found a {} without a {}, expected both or none",
                            has_cert ? "certificate" : "key", has_cert ? "key" : "certificate"));
  }
  return has_cert || has_key;
}

}  // namespace

const config::FieldTable<TlsSettings>& TlsServerFields() {
  static const config::FieldTable<TlsSettings> kTable = {
      config::String("cert_file", &TlsSettings::cert_file, "certificate of the server, PEM"),
      config::String("cert_pem", &TlsSettings::cert_pem, "the same as text"),
      config::String("key_file", &TlsSettings::key_file, "its key, PEM"),
      config::String("key_pem", &TlsSettings::key_pem, "the same as text"),
      config::String("client_ca_file", &TlsSettings::ca_file,
                     "clients need a certificate of one of these authorities, PEM"),
      config::String("client_ca_pem", &TlsSettings::ca_pem, "the same as text"),
  };
  return kTable;
}

const config::FieldTable<TlsSettings>& TlsClientFields() {
  static const config::FieldTable<TlsSettings> kTable = {
      config::String("ca_file", &TlsSettings::ca_file,
                     "authorities that the certificate of the server may be of, PEM"),
      config::String("ca_pem", &TlsSettings::ca_pem, "the same as text"),
      config::Bool("include_system_ca_certs_pool", &TlsSettings::trusts_system,
                   "trust the authorities of the system too"),
      config::String("cert_file", &TlsSettings::cert_file, "certificate of this client, PEM"),
      config::String("cert_pem", &TlsSettings::cert_pem, "the same as text"),
      config::String("key_file", &TlsSettings::key_file, "its key, PEM"),
      config::String("key_pem", &TlsSettings::key_pem, "the same as text"),
      config::String("server_name_override", &TlsSettings::server_name,
                     "name that the certificate of the server has, where it is not the host"),
      config::Refused<TlsSettings>("insecure", "is not known: the scheme of the endpoint says it"),
      config::Refused<TlsSettings>("insecure_skip_verify",
                                   "is not known: name the authority of the server in ca_file"),
      config::Refused<TlsSettings>("reload_interval",
                                   "is not known: files are read when the pipeline is started"),
  };
  return kTable;
}

void CheckTlsServer(const config::Section& section, const TlsSettings& settings) {
  if (!CheckIdentity(section, settings)) {
    section.Add("found no certificate, expected cert_file and key_file, or their texts");
  }
  CheckOnce(section, settings.ca_file, settings.ca_pem, "client_ca");
}

void CheckTlsClient(const config::Section& section, const TlsSettings& settings) {
  CheckIdentity(section, settings);
  CheckOnce(section, settings.ca_file, settings.ca_pem, "ca");
}

}  // namespace df::delivery
