#include <memory>
#include <span>

#include "nodes/exporters/perf/config.h"
#include "nodes/exporters/perf/perf_exporter.h"

namespace df::nodes::exporters::perf {
namespace {

engine::NodeConfigPtr Parse(const config::Section& section, const engine::ValidateContext&) {
  return std::make_shared<const PerfConfig>(config::Read(PerfFields(), section));
}

Result<engine::NodeSharedPtr> MakeShared(const engine::NodeConfig& config,
                                         const engine::ValidateContext&) {
  const auto& perf = static_cast<const PerfConfig&>(config);
  const UsageParts parts = {.cpu = perf.self_usage && perf.cpu_usage,
                            .memory = perf.self_usage && perf.mem_usage,
                            .disk = perf.self_usage && perf.disk_usage,
                            .network = perf.self_usage && perf.io_usage};
  return PerfMeter::Make(perf, [parts] { return ReadUsage(parts); });
}

Result<std::unique_ptr<engine::Exporter>> MakeExporter(const engine::NodeConfigPtr& config,
                                                       const engine::NodeSharedPtr& shared,
                                                       const engine::InstanceInfo&) {
  return std::make_unique<PerfExporter>(static_cast<const PerfConfig&>(*config).frequency,
                                        std::static_pointer_cast<PerfMeter>(shared));
}

engine::NodeReport MergeReports(const engine::NodeShared* shared,
                                std::span<const engine::NodeReport>) {
  return static_cast<const PerfMeter*>(shared)->Report();
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:exporter:perf",
    .kind = engine::NodeKind::kExporter,
    .summary = "measures rates, ages and what the process uses",
    .fields = [] { return config::Describe(PerfFields()); },
    .parse = Parse,
    .make_shared = MakeShared,
    .make_exporter = MakeExporter,
    .merge_reports = MergeReports,
};

}  // namespace df::nodes::exporters::perf
