#include <memory>

#include "engine/node_registry.h"
#include "nodes/exporters/otap/config.h"
#include "nodes/exporters/otap/grpc_streams.h"
#include "nodes/exporters/otap/otap_exporter.h"

namespace df::nodes::exporters::otap {
namespace {

engine::NodeConfigPtr Parse(const config::Section& section, const engine::ValidateContext&) {
  auto config = std::make_shared<OtapConfig>(config::Read(OtapFields(), section));
  delivery::CheckGrpcClient(section, *config);
  return config;
}

/// Nothing is shared; what is to be checked is checked once, before any instance.
Result<engine::NodeSharedPtr> MakeShared(const engine::NodeConfig& node_config,
                                         const engine::ValidateContext&) {
  const auto& config = static_cast<const OtapConfig&>(node_config);
  ARROW_ASSIGN_OR_RAISE(const auto settings, delivery::MakeGrpcClientSettings(config));
  ARROW_RETURN_NOT_OK(delivery::CheckGrpcServer(config, settings));
  return engine::NodeSharedPtr();
}

Result<std::unique_ptr<engine::Exporter>> MakeExporter(const engine::NodeConfigPtr& node_config,
                                                       const engine::NodeSharedPtr&,
                                                       const engine::InstanceInfo&) {
  const auto config = std::static_pointer_cast<const OtapConfig>(node_config);
  return std::make_unique<OtapExporter>(
      MakeLaneSettings(*config), config->streams_per_signal,
      [config](engine::Effects& effects) { return MakeGrpcOpener(*config, effects); });
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:exporter:otap",
    .kind = engine::NodeKind::kExporter,
    .summary = "sends batches over OTAP streams",
    .fields = [] { return config::Describe(OtapFields()); },
    .parse = Parse,
    .make_shared = MakeShared,
    .make_exporter = MakeExporter,
};

}  // namespace df::nodes::exporters::otap
