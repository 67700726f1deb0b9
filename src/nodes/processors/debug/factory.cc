#include <memory>
#include <span>
#include <utility>

#include "engine/node_registry.h"
#include "nodes/processors/debug/config.h"
#include "nodes/processors/debug/debug_processor.h"

namespace df::nodes::processors::debug {
namespace {

struct ParsedConfig final : engine::NodeConfig {
  DebugConfig config;
};

engine::NodeConfigPtr Parse(const config::Section& section, const engine::ValidateContext&) {
  auto parsed = std::make_shared<ParsedConfig>();
  parsed->config = config::Read(DebugFields(), section);
  return parsed;
}

Result<engine::NodeSharedPtr> MakeShared(const engine::NodeConfig& config,
                                         const engine::ValidateContext&) {
  ARROW_ASSIGN_OR_RAISE(auto output,
                        DebugOutput::Open(static_cast<const ParsedConfig&>(config).config.output));
  return std::make_shared<DebugShared>(std::move(output));
}

Result<std::unique_ptr<engine::Processor>> MakeProcessor(const engine::NodeConfigPtr& config,
                                                         const engine::NodeSharedPtr& shared,
                                                         const engine::InstanceInfo&) {
  return std::make_unique<DebugProcessor>(static_cast<const ParsedConfig&>(*config).config,
                                          std::static_pointer_cast<DebugShared>(shared));
}

engine::NodeReport MergeReports(const engine::NodeShared* shared,
                                std::span<const engine::NodeReport>) {
  return static_cast<const DebugShared*>(shared)->totals().Report();
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:processor:debug",
    .kind = engine::NodeKind::kProcessor,
    .summary = "prints what passes and sends it on unchanged",
    .fields = [] { return config::Describe(DebugFields()); },
    .parse = Parse,
    .make_shared = MakeShared,
    .make_processor = MakeProcessor,
    .merge_reports = MergeReports,
};

}  // namespace df::nodes::processors::debug
