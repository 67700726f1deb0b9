// What files a lake has.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "lake/catalog/file_summary.h"
#include "lake/report/read_report.h"
#include "otap/schema.h"
#include "storage/folder_watch.h"
#include "storage/store.h"

namespace df::lake {

/// The files of one partition as the listing shows them, each table sorted by path.
struct PartitionListing {
  std::string partition;  ///< directories between table folder and file, "" when there are none
  std::array<std::vector<FileEntry>, otap::kTableCount> tables;
  /// By table: files of it may exist that are not listed, so what the others say may not be all.
  std::array<bool, otap::kTableCount> is_incomplete{};
  uint64_t look = 0;  ///< which look at a followed tree has found them: the first is 1
};

/// Returns the bytes of all its files.
int64_t SizeOf(const PartitionListing& listing);

/// A seal of a day or hour of a signal (catalog/level_seal.h).
struct SealEntry {
  otap::Signal signal = otap::Signal::kLogs;
  std::string level;   ///< its folders below the root table: "date=2026-11-30/hour=02"
  std::string path;    ///< below the base
  int64_t millis = 0;  ///< since the Unix epoch: when its rows were counted, as its name says
  std::vector<std::string> older;  ///< paths of others of the level, the newest first
};

struct LakeListing {
  std::vector<PartitionListing> partitions;  ///< sorted by partition
  std::vector<SealEntry> seals;              ///< the newest of each signal and level
  std::vector<Status>
      problems;  ///< kinds file_discovery and invalid_partition; each names its directory
  /// Named, but nothing is missing: links to what is read under another name, folders named like
  /// files.
  std::vector<Status> notices;
  /// Names of the files that say which files take the place of others (catalog/compactions.h).
  std::vector<std::string> compactions;
  int64_t num_files = 0;
  int64_t num_folders_skipped = 0;  ///< folders of times that were not listed
  bool has_table_folders = false;   ///< any folder of the base is named as a table
  bool passes_over_times = false;   ///< folders of times that are not wanted are not listed
  /// Nothing is left out, and no file or folder has another name: the files of a partition are
  /// those of the folders of that name.
  bool is_plain = true;
};

/// Lists the tables that the signals need.
/// Shape: paths under <base>/<table>/**; only files named *.parquet; names that start with '.' or
/// '_' are skipped, except key=value directories. A folder named *.parquet is no level of the
/// partition: its files are those of the folder above. A directory that cannot be read, or whose
/// partition value is empty or Hive's default, costs itself only. Folders that are no tables are
/// problems beside tables only. Errors: file_discovery when the
/// base itself cannot be listed. Cost: one listing per directory, no file is opened.
///
/// Folders of times (catalog/time_levels.h) for which `wants_times` says no are not listed. Only
/// those of a base count where every folder of a table that is listed and has folders date=.. says
/// what they mean: so a record never comes without its children.
///
/// Links: a file with several names in one table (symbolic or hard links) is listed once, a real
/// name before a link; a directory is walked once for each table, by its real path where it has
/// one, and never when it is the base, a table folder or above them. So circles end.
///
/// Directories are watched before they are listed, by `watch` where it is not null.
Result<LakeListing> ListLake(storage::Store& store, const std::string& base,
                             const std::vector<otap::Signal>& signals,
                             const std::function<bool(const EventTimeRange&)>& wants_times = {},
                             storage::FolderWatch* watch = nullptr);

/// Returns the tables that ListLake lists for these signals.
std::vector<otap::TableKind> ListedTables(const std::vector<otap::Signal>& signals);

/// Reads the footers of a partition. Files that cannot be read are reported and left out.
/// Root files are put in the order of their names' time, then of their first id, then of their
/// names.
PartitionFiles LoadPartition(storage::Store& store, const std::string& base,
                             const PartitionListing& listing, ReadReport* report);

/// Puts the files of each table in reading order. Files must have been summarised.
void SortFiles(PartitionFiles* files);

/// Returns the milliseconds in a name of the form part-<millis>-..., or 0.
int64_t NameMillis(std::string_view path);

}  // namespace df::lake
