#include <memory>

#include "engine/node_registry.h"
#include "nodes/processors/batch/batch_processor.h"
#include "nodes/processors/batch/config.h"

namespace df::nodes::processors::batch {
namespace {

engine::NodeConfigPtr Parse(const config::Section& section, const engine::ValidateContext&) {
  return std::make_shared<const BatchConfig>(ReadBatchConfig(section));
}

Result<std::unique_ptr<engine::Processor>> MakeProcessor(const engine::NodeConfigPtr& config,
                                                         const engine::NodeSharedPtr&,
                                                         const engine::InstanceInfo&) {
  return std::make_unique<BatchProcessor>(std::static_pointer_cast<const BatchConfig>(config));
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:processor:batch",
    .kind = engine::NodeKind::kProcessor,
    .summary = "makes batches of a wanted size, by items or bytes",
    .fields = [] { return config::Describe(BatchFields()); },
    .parse = Parse,
    .applies_config = true,
    .make_processor = MakeProcessor,
};

}  // namespace df::nodes::processors::batch
