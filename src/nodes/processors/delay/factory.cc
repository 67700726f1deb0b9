#include <memory>

#include "nodes/processors/delay/config.h"
#include "nodes/processors/delay/delay_processor.h"

namespace df::nodes::processors::delay {
namespace {

engine::NodeConfigPtr Parse(const config::Section& section, const engine::ValidateContext&) {
  return std::make_shared<const DelayConfig>(config::Read(DelayFields(), section));
}

Result<std::unique_ptr<engine::Processor>> MakeProcessor(const engine::NodeConfigPtr& config,
                                                         const engine::NodeSharedPtr&,
                                                         const engine::InstanceInfo&) {
  return std::make_unique<DelayProcessor>(std::static_pointer_cast<const DelayConfig>(config));
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:processor:delay",
    .kind = engine::NodeKind::kProcessor,
    .summary = "sends each batch on a while after it came",
    .fields = [] { return config::Describe(DelayFields()); },
    .parse = Parse,
    .applies_config = true,
    .takes_encoded = true,
    .make_processor = MakeProcessor,
};

}  // namespace df::nodes::processors::delay
