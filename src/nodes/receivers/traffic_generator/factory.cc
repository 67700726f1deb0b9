#include <memory>

#include "engine/node_registry.h"
#include "nodes/receivers/traffic_generator/config.h"
#include "nodes/receivers/traffic_generator/traffic_generator.h"

namespace df::nodes::receivers::traffic_generator {
namespace {

engine::NodeConfigPtr Parse(const config::Section& section, const engine::ValidateContext&) {
  auto parsed =
      std::make_shared<TrafficGeneratorConfig>(config::Read(TrafficGeneratorFields(), section));
  CheckTrafficGenerator(section, *parsed);
  return parsed;
}

Result<std::unique_ptr<engine::Receiver>> MakeReceiver(const engine::NodeConfigPtr& config,
                                                       const engine::NodeSharedPtr&,
                                                       const engine::InstanceInfo& info) {
  return std::make_unique<TrafficGenerator>(
      std::static_pointer_cast<const TrafficGeneratorConfig>(config), info);
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:receiver:traffic_generator",
    .kind = engine::NodeKind::kReceiver,
    .summary = "sends telemetry that it makes up",
    .fields = [] { return config::Describe(TrafficGeneratorFields()); },
    .parse = Parse,
    .make_receiver = MakeReceiver,
};

}  // namespace df::nodes::receivers::traffic_generator
