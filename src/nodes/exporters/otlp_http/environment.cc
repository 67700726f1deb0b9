#include "engine/environment.h"

#include <set>
#include <string>
#include <string_view>

#include "nodes/exporters/otlp_http/config.h"
#include "runtime/http1/url.h"

namespace df::nodes::exporters::otlp_http {
namespace {

void AddChecks(const config::Section& section, engine::EnvironmentChecks* checks) {
  const OtlpHttpConfig config = config::Read(OtlpHttpFields(), section);
  if (config.tls.has_value()) {
    engine::AddClientTlsCheck(*section.Find("tls"), *config.tls, checks);
  }
  const bool uses_endpoint = config.logs_endpoint.empty() || config.traces_endpoint.empty() ||
                             config.metrics_endpoint.empty();
  std::set<std::string> added;
  for (const std::string_view key :
       {"endpoint", "logs_endpoint", "traces_endpoint", "metrics_endpoint"}) {
    const bool is_used = key != "endpoint" || uses_endpoint;
    const auto value = is_used ? section.Find(key) : std::nullopt;
    const auto text = value.has_value() ? value->ReadString() : std::nullopt;
    const auto url = runtime::http1::ParseUrl(text.value_or(""));
    if (url.ok() && added.insert(url->authority()).second) {
      engine::AddConnectCheck(section, key,
                              {.host = url->host, .port = url->port, .has_tls = url->is_encrypted},
                              config.tls.value_or(runtime::TlsSettings()), checks);
    }
  }
}

}  // namespace

extern const engine::NodeEnvironment kEnvironment;
const engine::NodeEnvironment kEnvironment = {.urn = "urn:otel:exporter:otlp_http",
                                              .add_checks = AddChecks};

}  // namespace df::nodes::exporters::otlp_http
