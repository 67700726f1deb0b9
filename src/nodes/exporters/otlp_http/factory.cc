#include <memory>
#include <set>
#include <string>

#include "engine/node_registry.h"
#include "nodes/exporters/otlp_http/config.h"
#include "nodes/exporters/otlp_http/otlp_http_exporter.h"
#include "runtime/http1/url.h"
#include "runtime/try_connect.h"

namespace df::nodes::exporters::otlp_http {
namespace {

/// What is loaded from files once, for all instances.
struct SharedTls final : engine::NodeShared {
  std::shared_ptr<const runtime::TlsContext> context;
};

engine::NodeConfigPtr Parse(const config::Section& section, const engine::ValidateContext&) {
  auto parsed = std::make_shared<OtlpHttpConfig>(config::Read(OtlpHttpFields(), section));
  CheckOtlpHttp(section, *parsed);
  return parsed;
}

/// Does what `check_at_start` says, for each server once.
Status CheckServers(const OtlpHttpConfig& config,
                    const std::shared_ptr<const runtime::TlsContext>& tls) {
  if (config.check_at_start == delivery::StartCheck::kNone) {
    return Status::OK();
  }
  std::set<std::string> checked;
  for (const otap::Signal signal : otap::kAllSignals) {
    ARROW_ASSIGN_OR_RAISE(const runtime::http1::Url url,
                          runtime::http1::ParseUrl(config.EndpointOf(signal)));
    if (checked.insert(url.authority()).second) {
      ARROW_RETURN_NOT_OK(runtime::TryConnect(url.host, url.port, url.is_encrypted ? tls : nullptr,
                                              config.connect_timeout));
    }
  }
  return Status::OK();
}

Result<engine::NodeSharedPtr> MakeShared(const engine::NodeConfig& config,
                                         const engine::ValidateContext&) {
  const auto& parsed = static_cast<const OtlpHttpConfig&>(config);
  auto shared = std::make_shared<SharedTls>();
  ARROW_ASSIGN_OR_RAISE(
      shared->context,
      runtime::TlsContext::MakeClient(parsed.tls.value_or(runtime::TlsSettings()), {"http/1.1"}));
  ARROW_RETURN_NOT_OK(CheckServers(parsed, shared->context));
  return engine::NodeSharedPtr(std::move(shared));
}

Result<std::unique_ptr<engine::Exporter>> MakeExporter(const engine::NodeConfigPtr& config,
                                                       const engine::NodeSharedPtr& shared,
                                                       const engine::InstanceInfo&) {
  return std::make_unique<OtlpHttpExporter>(std::static_pointer_cast<const OtlpHttpConfig>(config),
                                            static_cast<const SharedTls&>(*shared).context);
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:exporter:otlp_http",
    .kind = engine::NodeKind::kExporter,
    .summary = "sends batches to an OTLP server over HTTP",
    .fields = [] { return config::Describe(OtlpHttpFields()); },
    .parse = Parse,
    .takes_encoded = true,
    .make_shared = MakeShared,
    .make_exporter = MakeExporter,
};

}  // namespace df::nodes::exporters::otlp_http
