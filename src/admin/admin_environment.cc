#include "admin/admin_environment.h"

#include <utility>

#include "admin/access.h"
#include "runtime/address.h"
#include "runtime/try_listen.h"

namespace df::admin {
namespace {

Status TryListen(const std::string& address) {
  ARROW_ASSIGN_OR_RAISE(const runtime::SocketAddress found, runtime::ResolveSocketAddress(address));
  return runtime::TryListen(found.ToString());
}

}  // namespace

void AddAdminChecks(const config::Section& section, const config::AdminSettings& settings,
                    engine::EnvironmentChecks* checks) {
  engine::EnvironmentCheck listen =
      engine::MakeCheck(section, "bind_address", "listen", settings.bind_address);
  listen.run = [address = settings.bind_address](const engine::CheckConditions&) {
    return engine::FindingOf(TryListen(address));
  };
  checks->push_back(std::move(listen));
  if (const auto tls = section.Find("tls"); tls.has_value() && !settings.tls_cert_file.empty()) {
    engine::AddServerTlsCheck(*tls,
                              {.cert_file = settings.tls_cert_file,
                               .key_file = settings.tls_key_file,
                               .ca_file = settings.tls_client_ca_file},
                              checks);
  }
  if (!settings.bearer_token_file.empty()) {
    engine::EnvironmentCheck token =
        engine::MakeCheck(section, "bearer_token_file", "token", settings.bearer_token_file);
    token.run = [file = settings.bearer_token_file](const engine::CheckConditions&) {
      return engine::FindingOf(AccessPolicy::Make(file, /*is_loopback=*/false).status());
    };
    checks->push_back(std::move(token));
  }
}

}  // namespace df::admin
