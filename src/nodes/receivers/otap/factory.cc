#include <memory>

#include <fmt/format.h>

#include "engine/node_registry.h"
#include "nodes/receivers/otap/config.h"
#include "nodes/receivers/otap/otap_receiver.h"

namespace df::nodes::receivers::otap {
namespace {

engine::NodeConfigPtr Parse(const config::Section& section,
                            const engine::ValidateContext& context) {
  auto config = std::make_shared<const OtapConfig>(config::Read(OtapFields(), section));
  if (context.num_cores > 1 && config->listening_addr.ends_with(":0")) {
    section.AddAtKey("listening_addr",
                     fmt::format("{} cores would each listen at a port of their own, expected a "
                                 "port above 0",
                                 context.num_cores));
  }
  return config;
}

Result<std::unique_ptr<engine::Receiver>> MakeReceiver(const engine::NodeConfigPtr& config,
                                                       const engine::NodeSharedPtr&,
                                                       const engine::InstanceInfo&) {
  return std::make_unique<OtapReceiver>(std::static_pointer_cast<const OtapConfig>(config));
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:receiver:otap",
    .kind = engine::NodeKind::kReceiver,
    .summary = "takes batches over OTAP streams",
    .fields = [] { return config::Describe(OtapFields()); },
    .parse = Parse,
    .make_receiver = MakeReceiver,
};

}  // namespace df::nodes::receivers::otap
