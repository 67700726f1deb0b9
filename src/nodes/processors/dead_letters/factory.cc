#include <memory>

#include "nodes/processors/dead_letters/config.h"
#include "nodes/processors/dead_letters/dead_letters_processor.h"

namespace df::nodes::processors::dead_letters {
namespace {

engine::NodeConfigPtr Parse(const config::Section& section, const engine::ValidateContext&) {
  return std::make_shared<const DeadLettersConfig>(config::Read(DeadLettersFields(), section));
}

Result<std::unique_ptr<engine::Processor>> MakeProcessor(const engine::NodeConfigPtr& config,
                                                         const engine::NodeSharedPtr&,
                                                         const engine::InstanceInfo&) {
  return std::make_unique<DeadLettersProcessor>(
      std::static_pointer_cast<const DeadLettersConfig>(config));
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:processor:dead_letters",
    .kind = engine::NodeKind::kProcessor,
    .summary = "keeps what the destination refuses permanently, to be sent again later",
    .fields = [] { return config::Describe(DeadLettersFields()); },
    .parse = Parse,
    .applies_config = true,
    .takes_encoded = true,
    .make_processor = MakeProcessor,
};

}  // namespace df::nodes::processors::dead_letters
