#include "engine/environment.h"

#include <utility>

#include "lake/write/try_write.h"
#include "nodes/exporters/parquet/config.h"
#include "storage/try_store.h"

namespace df::nodes::exporters::parquet {
namespace {

void AddChecks(const config::Section& section, engine::EnvironmentChecks* checks) {
  const ParquetConfig config = ReadParquetConfig(section);
  const bool is_local = config.uri.is_local();
  engine::EnvironmentCheck check = engine::MakeCheck(
      section, config.base_uri.empty() ? "storage" : "base_uri", is_local ? "write" : "store",
      is_local ? config.uri.path : config.uri.Describe(config.uri.path));
  // Of a store nothing but its answer is asked for: an object that is written may be kept forever.
  check.run = [uri = config.uri, options = config.storage.value_or(storage::StoreOptions())](
                  const engine::CheckConditions& conditions) {
    return engine::FindingOf(uri.is_local() ? lake::TryWrite(uri.path)
                                            : storage::TryStore(uri, options, conditions.timeout));
  };
  checks->push_back(std::move(check));
}

}  // namespace

extern const engine::NodeEnvironment kEnvironment;
const engine::NodeEnvironment kEnvironment = {.urn = "urn:otel:exporter:parquet",
                                              .add_checks = AddChecks};

}  // namespace df::nodes::exporters::parquet
