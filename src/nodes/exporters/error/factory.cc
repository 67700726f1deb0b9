#include <memory>

#include "nodes/exporters/error/config.h"
#include "nodes/exporters/error/error_exporter.h"

namespace df::nodes::exporters::error {
namespace {

engine::NodeConfigPtr Parse(const config::Section& section, const engine::ValidateContext&) {
  return std::make_shared<const ErrorConfig>(config::Read(ErrorFields(), section));
}

Result<std::unique_ptr<engine::Exporter>> MakeExporter(const engine::NodeConfigPtr& config,
                                                       const engine::NodeSharedPtr&,
                                                       const engine::InstanceInfo& info) {
  return std::make_unique<ErrorExporter>(std::static_pointer_cast<const ErrorConfig>(config),
                                         info.instance_index);
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:exporter:error",
    .kind = engine::NodeKind::kExporter,
    .summary = "refuses a share of the batches",
    .fields = [] { return config::Describe(ErrorFields()); },
    .parse = Parse,
    .takes_encoded = true,
    .make_exporter = MakeExporter,
};

}  // namespace df::nodes::exporters::error
