#include <memory>

#include "base/log.h"
#include "engine/node_registry.h"
#include "nodes/receivers/internal_telemetry/config.h"
#include "nodes/receivers/internal_telemetry/internal_telemetry_receiver.h"

namespace df::nodes::receivers::internal_telemetry {
namespace {

struct ParsedConfig final : engine::NodeConfig {
  InternalTelemetryConfig config;
};

engine::NodeConfigPtr Parse(const config::Section& section, const engine::ValidateContext&) {
  auto parsed = std::make_shared<ParsedConfig>();
  parsed->config = config::Read(InternalTelemetryFields(), section);
  return parsed;
}

Result<engine::NodeSharedPtr> MakeShared(const engine::NodeConfig&,
                                         const engine::ValidateContext&) {
  return std::make_shared<LogPosition>();
}

Result<std::unique_ptr<engine::Receiver>> MakeReceiver(const engine::NodeConfigPtr& config,
                                                       const engine::NodeSharedPtr& shared,
                                                       const engine::InstanceInfo&) {
  return std::make_unique<InternalTelemetryReceiver>(
      static_cast<const ParsedConfig&>(*config).config,
      std::static_pointer_cast<LogPosition>(shared), &ProcessLog());
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:receiver:internal_telemetry",
    .kind = engine::NodeKind::kReceiver,
    .summary = "sends the metrics and the log of the engine itself",
    .fields = [] { return config::Describe(InternalTelemetryFields()); },
    .parse = Parse,
    .make_shared = MakeShared,
    .make_receiver = MakeReceiver,
};

}  // namespace df::nodes::receivers::internal_telemetry
