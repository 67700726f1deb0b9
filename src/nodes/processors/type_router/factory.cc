#include <memory>

#include "nodes/processors/type_router/config.h"
#include "nodes/processors/type_router/type_router_processor.h"

namespace df::nodes::processors::type_router {
namespace {

engine::NodeConfigPtr Parse(const config::Section& section, const engine::ValidateContext&) {
  return std::make_shared<const TypeRouterConfig>(config::Read(TypeRouterFields(), section));
}

Result<std::unique_ptr<engine::Processor>> MakeProcessor(const engine::NodeConfigPtr& config,
                                                         const engine::NodeSharedPtr&,
                                                         const engine::InstanceInfo&) {
  return std::make_unique<TypeRouterProcessor>(
      std::static_pointer_cast<const TypeRouterConfig>(config));
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:processor:type_router",
    .kind = engine::NodeKind::kProcessor,
    .summary = "sends each batch to the port of its signal",
    .fields = [] { return config::Describe(TypeRouterFields()); },
    .parse = Parse,
    .applies_config = true,
    .takes_encoded = true,
    .make_processor = MakeProcessor,
};

}  // namespace df::nodes::processors::type_router
