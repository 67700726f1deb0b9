// Configuration of the Parquet receiver.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "config/field_table.h"
#include "lake/read_options.h"
#include "lake/work_list.h"

namespace df::nodes::receivers::parquet {

/// How often the tree is listed.
struct Polling {
  std::optional<std::chrono::nanoseconds> interval = std::chrono::seconds(5);  ///< nothing: `once`
};

struct ProcessingOptions {
  int64_t batch_size = 8192;
  std::optional<std::chrono::nanoseconds> min_file_age;
  std::chrono::nanoseconds completeness_grace = std::chrono::seconds(10);
  std::chrono::nanoseconds late_window = std::chrono::minutes(10);
  bool validate_relations = false;
};

struct ParquetReceiverConfig {
  std::string base_uri;
  std::vector<df::otap::Signal> signal_types = {df::otap::kAllSignals.begin(),
                                                df::otap::kAllSignals.end()};
  Polling polling_interval;
  ProcessingOptions processing_options;
  lake::ResourceJoin resource_join = lake::ResourceJoin::kInfer;
  int64_t memory_limit = 256_MiB;
  int64_t max_concurrent_partitions = 1;  ///< on each core
};

const config::FieldTable<ParquetReceiverConfig>& ParquetReceiverFields();

/// Returns the local path of a base_uri: a path, or file:// and an absolute path.
/// Errors: Invalid for other schemes and for relative file:// URIs.
Result<std::string> LocalPath(const std::string& base_uri);

lake::ReadOptions MakeReadOptions(const ParquetReceiverConfig& config);
lake::FollowOptions MakeFollowOptions(const ParquetReceiverConfig& config);

}  // namespace df::nodes::receivers::parquet
