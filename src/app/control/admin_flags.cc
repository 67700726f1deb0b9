#include "app/control/admin_flags.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/text.h"
#include "config/engine_settings.h"

namespace df::app {
namespace {

constexpr const char* kVariable = "DF_ENGINE_ADMIN";

Result<runtime::http1::Url> ParseAddress(const std::string& text, std::string_view source,
                                         bool has_tls) {
  const bool has_scheme = text.find("://") != std::string::npos;
  const auto url = runtime::http1::ParseUrl(
      has_scheme ? text : fmt::format("{}://{}", has_tls ? "https" : "http", text));
  const bool has_port = has_scheme || text.find(':', text.rfind(']') + 1) != std::string::npos;
  if (!url.ok() || !has_port || url->path != "/") {
    return Status::Invalid(
        fmt::format("{}: found '{}', expected HOST:PORT, http://HOST:PORT or https://HOST:PORT",
                    source, PrintableText(text)));
  }
  if (has_tls && !url->is_encrypted) {
    return Status::Invalid(fmt::format(
        "--tls-ca, --tls-cert, --tls-key, --tls-server-name: http:// does not encrypt; write "
        "https://{}",
        url->authority()));
  }
  return url;
}

/// Returns the first line, as the server reads it from its own file.
Result<std::string> ReadToken(const std::string& path, const config::Environment& environment) {
  const Result<std::string> file = environment.File(path);
  if (!file.ok()) {
    return Status::IOError(
        fmt::format("--token-file {}: {}", PrintableText(path), file.status().message()));
  }
  std::string token = file->substr(0, file->find('\n'));
  token.erase(token.find_last_not_of(" \r") + 1);
  const bool is_token = !token.empty() && std::all_of(token.begin(), token.end(), [](char letter) {
    return letter > ' ' && letter < 0x7F;
  });
  if (!is_token) {
    // What was found may be a secret all the same: it is not shown.
    return Status::Invalid(fmt::format(
        "--token-file {}: the first line is no token: expected printable characters without spaces",
        PrintableText(path)));
  }
  return token;
}

}  // namespace

void AddAdminFlags(CLI::App* command, AdminFlags* flags) {
  command
      ->add_option("--admin", flags->admin,
                   "Address of the engine's admin server, or its URL; default: DF_ENGINE_ADMIN of "
                   "the environment, or " +
                       config::AdminSettings().bind_address)
      ->type_name("HOST:PORT");
  command
      ->add_option("--token-file", flags->token_file,
                   "File whose first line is the token of the server")
      ->type_name("FILE");
  command->add_option("--tls-ca", flags->tls_ca, "Authorities that are believed, as PEM")
      ->type_name("FILE");
  command->add_option("--tls-cert", flags->tls_cert, "Certificate of this client, as PEM")
      ->type_name("FILE");
  command->add_option("--tls-key", flags->tls_key, "Its key, as PEM")->type_name("FILE");
  command
      ->add_option("--tls-server-name", flags->tls_server_name,
                   "Name that the certificate of the server must have")
      ->type_name("NAME");
}

Result<AdminAccess> ReadAdminFlags(const AdminFlags& flags,
                                   const config::Environment& environment) {
  const std::string from_environment = environment.Variable(kVariable).value_or("");
  AdminAccess access;
  if (!flags.admin.empty()) {
    ARROW_ASSIGN_OR_RAISE(access.url, ParseAddress(flags.admin, "--admin", flags.has_tls()));
  } else if (!from_environment.empty()) {
    ARROW_ASSIGN_OR_RAISE(access.url, ParseAddress(from_environment, kVariable, flags.has_tls()));
  } else {
    ARROW_ASSIGN_OR_RAISE(
        access.url, ParseAddress(config::AdminSettings().bind_address, "--admin", flags.has_tls()));
  }
  if (!flags.token_file.empty()) {
    ARROW_ASSIGN_OR_RAISE(access.token, ReadToken(flags.token_file, environment));
  }
  if (access.url.is_encrypted) {
    runtime::TlsSettings settings;
    settings.ca_file = flags.tls_ca;
    settings.cert_file = flags.tls_cert;
    settings.key_file = flags.tls_key;
    settings.server_name = flags.tls_server_name;
    settings.trusts_system = flags.tls_ca.empty();
    if (flags.tls_cert.empty() != flags.tls_key.empty()) {
      return Status::Invalid("--tls-cert, --tls-key: one is given without the other");
    }
    ARROW_ASSIGN_OR_RAISE(access.tls, runtime::TlsContext::MakeClient(settings, {"http/1.1"}));
  }
  return access;
}

}  // namespace df::app
