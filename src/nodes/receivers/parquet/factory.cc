#include <fmt/format.h>

#include "engine/held_sources.h"
#include "engine/node_registry.h"
#include "nodes/receivers/parquet/config.h"
#include "nodes/receivers/parquet/parquet_receiver.h"
#include "nodes/receivers/parquet/replay.h"
#include "storage/store.h"

namespace df::nodes::receivers::parquet {
namespace {

engine::NodeConfigPtr Parse(const config::Section& section,
                            const engine::ValidateContext& context) {
  auto parsed = std::make_shared<ParquetNodeConfig>();
  parsed->config = ReadParquetReceiverConfig(section);
  PlaceCheckpoint(section, context.state_dir, &parsed->config);
  return parsed;
}

Result<engine::NodeSharedPtr> MakeShared(const engine::NodeConfig& config,
                                         const engine::ValidateContext&) {
  const ParquetReceiverConfig& parsed = static_cast<const ParquetNodeConfig&>(config).config;
  ARROW_ASSIGN_OR_RAISE(
      auto store,
      storage::Store::Make(parsed.uri, parsed.storage.value_or(storage::StoreOptions())));
  auto replay = std::make_shared<Replay>(parsed, std::move(store));
  ARROW_RETURN_NOT_OK(replay->OpenCache());
  ARROW_RETURN_NOT_OK(replay->ReadProgress());
  replay->Watch();
  return engine::NodeSharedPtr(std::move(replay));
}

Result<std::unique_ptr<engine::Receiver>> Make(const engine::NodeConfigPtr&,
                                               const engine::NodeSharedPtr& shared,
                                               const engine::InstanceInfo& info) {
  auto replay = std::static_pointer_cast<Replay>(shared);
  ARROW_RETURN_NOT_OK(replay->Attach(info));
  engine::ProcessSources().Add(info.group, info.pipeline, info.node,
                               std::shared_ptr<engine::HoldableSource>(replay, &replay->pacing()));
  return std::unique_ptr<engine::Receiver>(
      std::make_unique<ParquetReceiver>(std::move(replay), info));
}

bool CanApplyTo(const engine::NodeConfig& from, const engine::NodeConfig& to) {
  return CanApply(static_cast<const ParquetNodeConfig&>(from).config,
                  static_cast<const ParquetNodeConfig&>(to).config);
}

engine::NodeReport MergeReports(const engine::NodeShared* shared,
                                std::span<const engine::NodeReport> reports) {
  engine::NodeReport merged = DescribeReplay(static_cast<const Replay&>(*shared));
  for (const engine::NodeReport& report : reports) {
    merged.lines.insert(merged.lines.end(), report.lines.begin(), report.lines.end());
    merged.num_problems += report.num_problems;
  }
  return merged;
}

}  // namespace

extern const engine::NodeDescriptor kDescriptor;
const engine::NodeDescriptor kDescriptor = {
    .urn = "urn:otel:receiver:parquet",
    .kind = engine::NodeKind::kReceiver,
    .summary = "replays star-schema Parquet (OTAP) of logs, traces and metrics",
    .fields = [] { return config::Describe(ParquetReceiverFields()); },
    .parse = Parse,
    .applies_config = true,
    .can_apply = CanApplyTo,
    .make_shared = MakeShared,
    .make_receiver = Make,
    .merge_reports = MergeReports,
};

}  // namespace df::nodes::receivers::parquet
