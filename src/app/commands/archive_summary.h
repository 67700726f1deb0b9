// What an archive holds, as far as footers and small tables tell.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/commands/archive.h"
#include "base/error.h"
#include "otap/schema.h"

namespace df::app {

struct SignalSummary {
  otap::Signal signal = otap::Signal::kLogs;
  int64_t num_items = 0;    ///< log records, spans, rows of data points
  int64_t num_records = 0;  ///< rows of the root table: of metrics, the metrics
  /// As footers tell until ReadTimes; then the first and last time of an item.
  std::optional<lake::EventTimeRange> times;
  bool has_no_time = false;  ///< row groups with items that have no time, which count in no range
  int64_t num_files = 0;     ///< of all tables that are only its own
  int64_t num_bytes = 0;
  int64_t num_partitions = 0;
};

struct TableSummary {
  otap::TableKind table = otap::TableKind::kLogs;
  int64_t num_rows = 0;
  int64_t num_files = 0;
  int64_t num_bytes = 0;
  int64_t num_row_groups = 0;
  std::map<std::string, int64_t> schemas;  ///< files by fingerprint; empty where nobody asked
};

struct PartitionSummary {
  std::string partition;
  int64_t num_files = 0;
  int64_t num_bytes = 0;
  std::map<otap::Signal, int64_t> items;
  std::optional<lake::EventTimeRange> times;
};

struct ArchiveSummary {
  std::vector<SignalSummary> signals;  ///< those that have items or files
  std::vector<TableSummary> tables;    ///< those that have files
  std::vector<PartitionSummary> partitions;
  int64_t num_files = 0;
  int64_t num_bytes = 0;
  std::map<std::string, int64_t> writers;  ///< files of records by who wrote them
  std::set<std::string> services;          ///< service.name of any resource
  bool has_all_services = true;            ///< every file of resources was looked at
};

/// Adds up what the footers say.
ArchiveSummary SummariseArchive(const Archive& archive);

/// Reads the first and last time that an item of each signal has. Statistics are too wide for that:
/// a log record with a time has another one of observation. Cost: a few pages, as for the first and
/// last records.
void ReadTimes(Archive* archive, ArchiveSummary* summary);

/// Reads the names of services: keys, types and texts of resource attributes, of at most so many
/// files. What cannot be read leaves `has_all_services` false.
void ReadServices(Archive* archive, int64_t max_files, ArchiveSummary* summary);

}  // namespace df::app
