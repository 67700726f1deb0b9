#include <memory>

#include "nodes/processors/fanout/config.h"
#include "nodes/processors/fanout/fanout_processor.h"

namespace df::nodes::processors::fanout {
namespace {

engine::NodeConfigPtr Parse(const config::Section& section, const engine::ValidateContext&) {
  return std::make_shared<const FanoutConfig>(ReadFanoutConfig(section));
}

Result<std::unique_ptr<engine::Processor>> MakeProcessor(const engine::NodeConfigPtr& config,
                                                         const engine::NodeSharedPtr&,
                                                         const engine::InstanceInfo&) {
  return std::make_unique<FanoutProcessor>(std::static_pointer_cast<const FanoutConfig>(config));
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:processor:fanout",
    .kind = engine::NodeKind::kProcessor,
    .summary = "sends each batch to several destinations, with fallbacks",
    .fields = [] { return config::Describe(FanoutFields()); },
    .parse = Parse,
    .takes_encoded = true,
    .make_processor = MakeProcessor,
};

}  // namespace df::nodes::processors::fanout
