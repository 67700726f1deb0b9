#include <memory>

#include "nodes/processors/durable_buffer/config.h"
#include "nodes/processors/durable_buffer/durable_buffer_processor.h"

namespace df::nodes::processors::durable_buffer {
namespace {

engine::NodeConfigPtr Parse(const config::Section& section, const engine::ValidateContext&) {
  return std::make_shared<const DurableBufferConfig>(ReadDurableBufferConfig(section));
}

Result<std::unique_ptr<engine::Processor>> MakeProcessor(const engine::NodeConfigPtr& config,
                                                         const engine::NodeSharedPtr&,
                                                         const engine::InstanceInfo& info) {
  return std::make_unique<DurableBufferProcessor>(
      std::static_pointer_cast<const DurableBufferConfig>(config), info);
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:processor:durable_buffer",
    .kind = engine::NodeKind::kProcessor,
    .summary = "keeps batches on disk until they are delivered, and acks them once they are there",
    .fields = [] { return config::Describe(DurableBufferFields()); },
    .parse = Parse,
    .make_processor = MakeProcessor,
};

}  // namespace df::nodes::processors::durable_buffer
