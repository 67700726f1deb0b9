#include <memory>

#include <unistd.h>

#include "nodes/exporters/console/config.h"
#include "nodes/exporters/console/console_exporter.h"

namespace df::nodes::exporters::console {
namespace {

engine::NodeConfigPtr Parse(const config::Section& section, const engine::ValidateContext&) {
  return std::make_shared<const ConsoleConfig>(config::Read(ConsoleFields(), section));
}

Result<engine::NodeSharedPtr> MakeShared(const engine::NodeConfig&,
                                         const engine::ValidateContext&) {
  return std::make_shared<ConsoleOutput>(STDOUT_FILENO);
}

Result<std::unique_ptr<engine::Exporter>> MakeExporter(const engine::NodeConfigPtr& config,
                                                       const engine::NodeSharedPtr& shared,
                                                       const engine::InstanceInfo&) {
  return std::make_unique<ConsoleExporter>(std::static_pointer_cast<const ConsoleConfig>(config),
                                           std::static_pointer_cast<ConsoleOutput>(shared));
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:exporter:console",
    .kind = engine::NodeKind::kExporter,
    .summary = "prints log records, spans and metrics",
    .fields = [] { return config::Describe(ConsoleFields()); },
    .parse = Parse,
    .make_shared = MakeShared,
    .make_exporter = MakeExporter,
};

}  // namespace df::nodes::exporters::console
