#include <memory>

#include "engine/node_registry.h"
#include "nodes/receivers/otlp_file/config.h"
#include "nodes/receivers/otlp_file/file_sums.h"
#include "nodes/receivers/otlp_file/otlp_file_receiver.h"

namespace df::nodes::receivers::otlp_file {
namespace {

engine::NodeConfigPtr Parse(const config::Section& section, const engine::ValidateContext&) {
  return std::make_shared<OtlpFileConfig>(config::Read(OtlpFileFields(), section));
}

Result<engine::NodeSharedPtr> MakeShared(const engine::NodeConfig& config,
                                         const engine::ValidateContext&) {
  ARROW_ASSIGN_OR_RAISE(auto sums, FileSums::Make(static_cast<const OtlpFileConfig&>(config)));
  return engine::NodeSharedPtr(std::move(sums));
}

Result<std::unique_ptr<engine::Receiver>> Make(const engine::NodeConfigPtr& config,
                                               const engine::NodeSharedPtr& shared,
                                               const engine::InstanceInfo& info) {
  return std::make_unique<OtlpFileReceiver>(std::static_pointer_cast<const OtlpFileConfig>(config),
                                            std::static_pointer_cast<FileSums>(shared), info);
}

engine::NodeReport MergeReports(const engine::NodeShared* shared,
                                std::span<const engine::NodeReport> reports) {
  engine::NodeReport merged = static_cast<const FileSums&>(*shared).Describe();
  for (const engine::NodeReport& report : reports) {
    merged.lines.insert(merged.lines.end(), report.lines.begin(), report.lines.end());
    merged.num_problems += report.num_problems;
  }
  return merged;
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:receiver:otlp_file",
    .kind = engine::NodeKind::kReceiver,
    .summary = "reads files of OTLP JSON lines, and of OTLP protobuf",
    .fields = [] { return config::Describe(OtlpFileFields()); },
    .parse = Parse,
    .make_shared = MakeShared,
    .make_receiver = Make,
    .merge_reports = MergeReports,
};

}  // namespace df::nodes::receivers::otlp_file
