#include <memory>

#include "nodes/exporters/noop/config.h"
#include "nodes/exporters/noop/noop_exporter.h"

namespace df::nodes::exporters::noop {
namespace {

engine::NodeConfigPtr Parse(const config::Section& section, const engine::ValidateContext&) {
  return std::make_shared<const NoopConfig>(config::Read(NoopFields(), section));
}

Result<std::unique_ptr<engine::Exporter>> MakeExporter(const engine::NodeConfigPtr&,
                                                       const engine::NodeSharedPtr&,
                                                       const engine::InstanceInfo&) {
  return std::make_unique<NoopExporter>();
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:exporter:noop",
    .kind = engine::NodeKind::kExporter,
    .summary = "takes every batch and forgets it",
    .fields = [] { return config::Describe(NoopFields()); },
    .parse = Parse,
    .takes_encoded = true,
    .make_exporter = MakeExporter,
};

}  // namespace df::nodes::exporters::noop
