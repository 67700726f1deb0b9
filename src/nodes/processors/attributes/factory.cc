#include <memory>

#include "engine/node_registry.h"
#include "nodes/processors/attributes/attributes_processor.h"
#include "nodes/processors/attributes/config.h"

namespace df::nodes::processors::attributes {
namespace {

engine::NodeConfigPtr Parse(const config::Section& section, const engine::ValidateContext&) {
  return std::make_shared<const AttributesConfig>(ReadAttributesConfig(section));
}

Result<std::unique_ptr<engine::Processor>> MakeProcessor(const engine::NodeConfigPtr& config,
                                                         const engine::NodeSharedPtr&,
                                                         const engine::InstanceInfo&) {
  return std::make_unique<AttributesProcessor>(
      std::static_pointer_cast<const AttributesConfig>(config));
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:processor:attribute",
    .kind = engine::NodeKind::kProcessor,
    .summary = "inserts, updates, renames, deletes and hashes attributes",
    .fields = [] { return config::Describe(AttributesFields()); },
    .parse = Parse,
    .applies_config = true,
    .make_processor = MakeProcessor,
};

}  // namespace df::nodes::processors::attributes
