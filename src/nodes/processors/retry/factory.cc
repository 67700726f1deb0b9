#include <memory>

#include "nodes/processors/retry/config.h"
#include "nodes/processors/retry/retry_processor.h"

namespace df::nodes::processors::retry {
namespace {

engine::NodeConfigPtr Parse(const config::Section& section, const engine::ValidateContext&) {
  return std::make_shared<const RetryConfig>(ReadRetryConfig(section));
}

Result<std::unique_ptr<engine::Processor>> MakeProcessor(const engine::NodeConfigPtr& config,
                                                         const engine::NodeSharedPtr&,
                                                         const engine::InstanceInfo& info) {
  return std::make_unique<RetryProcessor>(std::static_pointer_cast<const RetryConfig>(config),
                                          info);
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:processor:retry",
    .kind = engine::NodeKind::kProcessor,
    .summary = "retries batches that were refused temporarily",
    .fields = [] { return config::Describe(RetryFields()); },
    .parse = Parse,
    .applies_config = true,
    .takes_encoded = true,
    .make_processor = MakeProcessor,
};

}  // namespace df::nodes::processors::retry
