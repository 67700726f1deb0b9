#include <memory>
#include <utility>

#include "engine/node_registry.h"
#include "nodes/exporters/otlp_grpc/config.h"
#include "nodes/exporters/otlp_grpc/otlp_grpc_exporter.h"

namespace df::nodes::exporters::otlp_grpc {
namespace {

struct ParsedConfig final : engine::NodeConfig {
  std::shared_ptr<const OtlpGrpcConfig> config;
};

engine::NodeConfigPtr Parse(const config::Section& section, const engine::ValidateContext&) {
  OtlpGrpcConfig config = config::Read(OtlpGrpcFields(), section);
  delivery::CheckGrpcClient(section, config);
  auto parsed = std::make_shared<ParsedConfig>();
  parsed->config = std::make_shared<const OtlpGrpcConfig>(std::move(config));
  return parsed;
}

/// What is loaded from files once, for all instances.
struct SharedSettings final : engine::NodeShared {
  runtime::grpc::ClientSettings client;
};

Result<engine::NodeSharedPtr> MakeShared(const engine::NodeConfig& config,
                                         const engine::ValidateContext&) {
  auto shared = std::make_shared<SharedSettings>();
  const OtlpGrpcConfig& parsed = *static_cast<const ParsedConfig&>(config).config;
  ARROW_ASSIGN_OR_RAISE(shared->client, delivery::MakeGrpcClientSettings(parsed));
  ARROW_RETURN_NOT_OK(delivery::CheckGrpcServer(parsed, shared->client));
  return shared;
}

Result<std::unique_ptr<engine::Exporter>> MakeExporter(const engine::NodeConfigPtr& config,
                                                       const engine::NodeSharedPtr& shared,
                                                       const engine::InstanceInfo&) {
  return std::make_unique<OtlpGrpcExporter>(static_cast<const ParsedConfig&>(*config).config,
                                            static_cast<const SharedSettings&>(*shared).client);
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:exporter:otlp_grpc",
    .kind = engine::NodeKind::kExporter,
    .summary = "sends batches to an OTLP server over gRPC",
    .fields = [] { return config::Describe(OtlpGrpcFields()); },
    .parse = Parse,
    .takes_encoded = true,
    .make_shared = MakeShared,
    .make_exporter = MakeExporter,
};

}  // namespace df::nodes::exporters::otlp_grpc
