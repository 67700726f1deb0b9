#include <memory>

#include "nodes/exporters/file/config.h"
#include "nodes/exporters/file/file_exporter.h"

namespace df::nodes::exporters::file {
namespace {

struct ParsedConfig final : engine::NodeConfig {
  FileConfig config;
};

engine::NodeConfigPtr Parse(const config::Section& section,
                            const engine::ValidateContext& context) {
  auto parsed = std::make_shared<ParsedConfig>();
  parsed->config = config::Read(FileFields(), section);
  if (const auto path = section.Find("path"); path.has_value() && !parsed->config.path.empty()) {
    CheckPath(parsed->config, context, *path);
  }
  return parsed;
}

Result<std::unique_ptr<engine::Exporter>> MakeExporter(const engine::NodeConfigPtr& config,
                                                       const engine::NodeSharedPtr&,
                                                       const engine::InstanceInfo& info) {
  return std::make_unique<FileExporter>(static_cast<const ParsedConfig&>(*config).config, info);
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:exporter:file",
    .kind = engine::NodeKind::kExporter,
    .summary = "writes OTLP requests to files, as JSON lines or protobuf",
    .fields = [] { return config::Describe(FileFields()); },
    .parse = Parse,
    .make_exporter = MakeExporter,
};

}  // namespace df::nodes::exporters::file
