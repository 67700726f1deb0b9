// Configuration of the Parquet exporter.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/units.h"
#include "config/field_table.h"
#include "lake/write/file_store.h"
#include "lake/write/sealer.h"
#include "lake/write/signal_writer.h"
#include "lake/write/write_options.h"
#include "storage/store_options.h"
#include "storage/store_uri.h"

namespace df::nodes::exporters::parquet {

struct WriterOptions {
  int64_t target_rows_per_file = 100'000'000;
  int64_t target_bytes_per_file = 256_MiB;
  /// Well below the time-outs of those who wait: 5 s of Collectors, 10 s of SDKs.
  std::chrono::nanoseconds flush_when_older_than = std::chrono::seconds(3);
  std::chrono::nanoseconds flush_when_all_wait_for = std::chrono::milliseconds(500);
  std::optional<std::chrono::nanoseconds> roll_when_older_than;
  int64_t row_group_bytes = 32_MiB;
  lake::Compression compression = lake::WriteOptions().compression;
  std::map<std::string, std::string> table_compression;
};

struct ParquetConfig {
  std::string base_uri;
  std::optional<storage::StoreOptions> storage;
  storage::StoreUri uri;       ///< what base_uri or storage say
  bool is_partitioned = true;  ///< always: ids are unique in a partition only
  lake::TimeLevels time_levels = lake::TimeLevels::kNone;
  std::optional<std::chrono::nanoseconds> seal_after;
  bool dead_letters = false;
  WriterOptions writer_options;
  int64_t memory_limit = 96_MiB;
};

const config::FieldTable<ParquetConfig>& ParquetFields();

/// Reads the configuration of a node; what does not fit together is added to its problems.
ParquetConfig ReadParquetConfig(const config::Section& section);

/// Parses "none", "snappy", "lz4", "gzip", "gzip:6", "zstd" or "zstd:3". Errors: Invalid naming
/// what was found.
Result<lake::Compression> ParseCompression(std::string_view text);
std::string ShowCompression(const lake::Compression& compression);

/// Makes the store that a configuration without problems names. Errors: kind config.
Result<std::unique_ptr<lake::FileStore>> MakeStore(const ParquetConfig& config);

/// Makes what seals days or hours; needs seal_after. Errors: kind config.
Result<lake::Sealer> MakeSealer(const ParquetConfig& config);

/// What the writers are told. Needs a configuration without problems.
lake::WriteOptions MakeWriteOptions(const ParquetConfig& config);
lake::FileLimits MakeFileLimits(const ParquetConfig& config);

}  // namespace df::nodes::exporters::parquet
