#include <memory>

#include "engine/node_registry.h"
#include "lake/write/file_store.h"
#include "nodes/exporters/parquet/config.h"
#include "nodes/exporters/parquet/parquet_exporter.h"

namespace df::nodes::exporters::parquet {
namespace {

struct ParsedConfig final : engine::NodeConfig {
  ParquetConfig config;
};

engine::NodeConfigPtr Parse(const config::Section& section, const engine::ValidateContext&) {
  auto parsed = std::make_shared<ParsedConfig>();
  parsed->config = ReadParquetConfig(section);
  return parsed;
}

/// Nothing is shared: where files go is proven once, before any instance, by who may wait.
Result<engine::NodeSharedPtr> MakeShared(const engine::NodeConfig& config,
                                         const engine::ValidateContext&) {
  ARROW_ASSIGN_OR_RAISE(const auto store,
                        MakeStore(static_cast<const ParsedConfig&>(config).config));
  ARROW_RETURN_NOT_OK(store->Prove());
  return engine::NodeSharedPtr();
}

Result<std::unique_ptr<engine::Exporter>> MakeExporter(const engine::NodeConfigPtr& config,
                                                       const engine::NodeSharedPtr&,
                                                       const engine::InstanceInfo& info) {
  return std::make_unique<ParquetExporter>(static_cast<const ParsedConfig&>(*config).config, info);
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:exporter:parquet",
    .kind = engine::NodeKind::kExporter,
    .summary = "writes star-schema Parquet (OTAP) of logs, traces and metrics",
    .fields = [] { return config::Describe(ParquetFields()); },
    .parse = Parse,
    .make_shared = MakeShared,
    .make_exporter = MakeExporter,
};

}  // namespace df::nodes::exporters::parquet
