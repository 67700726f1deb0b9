#include <memory>

#include "engine/node_registry.h"
#include "nodes/receivers/otlp/config.h"
#include "nodes/receivers/otlp/otlp_receiver.h"

namespace df::nodes::receivers::otlp {
namespace {

engine::NodeConfigPtr Parse(const config::Section& section,
                            const engine::ValidateContext& context) {
  auto parsed = std::make_shared<OtlpConfig>(config::Read(OtlpFields(), section));
  CheckOtlp(section, *parsed, context.num_cores);
  return parsed;
}

Result<engine::NodeSharedPtr> MakeShared(const engine::NodeConfig& config,
                                         const engine::ValidateContext&) {
  auto shared = std::make_shared<OtlpShared>();
  const auto& http = static_cast<const OtlpConfig&>(config).protocols.http;
  if (http.has_value() && http->tls.has_value()) {
    ARROW_ASSIGN_OR_RAISE(shared->http_tls,
                          runtime::TlsContext::MakeServer(*http->tls, {"http/1.1"}));
  }
  const auto& grpc = static_cast<const OtlpConfig&>(config).protocols.grpc;
  if (grpc.has_value() && grpc->tls.has_value()) {
    ARROW_ASSIGN_OR_RAISE(shared->grpc_tls, runtime::TlsContext::MakeServer(*grpc->tls, {"h2"}));
  }
  return engine::NodeSharedPtr(std::move(shared));
}

Result<std::unique_ptr<engine::Receiver>> MakeReceiver(const engine::NodeConfigPtr& config,
                                                       const engine::NodeSharedPtr& shared,
                                                       const engine::InstanceInfo&) {
  return std::make_unique<OtlpReceiver>(std::static_pointer_cast<const OtlpConfig>(config),
                                        std::static_pointer_cast<const OtlpShared>(shared));
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:receiver:otlp",
    .kind = engine::NodeKind::kReceiver,
    .summary = "takes OTLP requests over gRPC and HTTP",
    .fields = [] { return config::Describe(OtlpFields()); },
    .parse = Parse,
    .make_shared = MakeShared,
    .make_receiver = MakeReceiver,
};

}  // namespace df::nodes::receivers::otlp
