#include "engine/environment.h"

#include <utility>

#include "lake/write/try_write.h"
#include "nodes/receivers/parquet/config.h"
#include "storage/try_store.h"

namespace df::nodes::receivers::parquet {
namespace {

/// What is remembered from run to run.
void AddMemoryChecks(const config::Section& section, const ParquetReceiverConfig& config,
                     engine::EnvironmentChecks* checks) {
  if (const std::string& cache = config.catalog.cache; !cache.empty()) {
    engine::EnvironmentCheck check =
        engine::MakeCheck(*section.Find("catalog"), "cache", "write", cache);
    check.run = [cache](const engine::CheckConditions&) {
      return engine::FindingOf(lake::TryWrite(cache));
    };
    checks->push_back(std::move(check));
  }
  if (config.checkpoint.has_value() && !config.checkpoint->directory.empty()) {
    const std::string& directory = config.checkpoint->directory;
    engine::EnvironmentCheck check =
        engine::MakeCheck(*section.Find("checkpoint"), "directory", "write", directory);
    check.run = [directory](const engine::CheckConditions&) {
      return engine::FindingOf(lake::TryWrite(directory));
    };
    checks->push_back(std::move(check));
  }
  if (!config.progress.resume.empty()) {
    engine::AddReadCheck(*section.Find("progress"), "resume", config.progress.resume, checks);
  }
}

void AddChecks(const config::Section& section, engine::EnvironmentChecks* checks) {
  const ParquetReceiverConfig config = ReadParquetReceiverConfig(section);
  AddMemoryChecks(section, config, checks);
  const std::string_view key = config.base_uri.empty() ? "storage" : "base_uri";
  if (config.uri.is_local()) {
    engine::AddReadCheck(section, key, config.uri.path, checks);
    return;
  }
  engine::EnvironmentCheck check =
      engine::MakeCheck(section, key, "store", config.uri.Describe(config.uri.path));
  check.run = [uri = config.uri, options = config.storage.value_or(storage::StoreOptions())](
                  const engine::CheckConditions& conditions) {
    return engine::FindingOf(storage::TryStore(uri, options, conditions.timeout));
  };
  checks->push_back(std::move(check));
}

}  // namespace

extern const engine::NodeEnvironment kEnvironment;
const engine::NodeEnvironment kEnvironment = {.urn = "urn:otel:receiver:parquet",
                                              .add_checks = AddChecks};

}  // namespace df::nodes::receivers::parquet
