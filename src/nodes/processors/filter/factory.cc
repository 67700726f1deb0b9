#include <memory>
#include <utility>

#include "engine/node_registry.h"
#include "nodes/processors/filter/config.h"
#include "nodes/processors/filter/filter_processor.h"

namespace df::nodes::processors::filter {
namespace {

struct ParsedConfig final : engine::NodeConfig {
  FilterConfig config;
};

engine::NodeConfigPtr Parse(const config::Section& section, const engine::ValidateContext&) {
  auto parsed = std::make_shared<ParsedConfig>();
  parsed->config = config::Read(FilterFields(), section);
  return parsed;
}

Result<std::unique_ptr<engine::Processor>> MakeProcessor(const engine::NodeConfigPtr& config,
                                                         const engine::NodeSharedPtr&,
                                                         const engine::InstanceInfo&) {
  ARROW_ASSIGN_OR_RAISE(auto filter,
                        RecordFilter::Make(static_cast<const ParsedConfig&>(*config).config));
  return std::make_unique<FilterProcessor>(std::move(filter));
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:processor:filter",
    .kind = engine::NodeKind::kProcessor,
    .summary = "keeps or drops records by attribute, name, severity, body and time",
    .fields = [] { return config::Describe(FilterFields()); },
    .parse = Parse,
    .make_processor = MakeProcessor,
};

}  // namespace df::nodes::processors::filter
