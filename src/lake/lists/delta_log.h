// The log of one Delta table: which files it has.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "lake/lists/partition_names.h"
#include "otap/schema.h"
#include "storage/directory.h"
#include "storage/store.h"

namespace df::lake {

/// A file that the log has added and not removed.
struct DeltaFile {
  int64_t size_bytes = 0;
  int64_t num_rows = -1;
  std::map<std::string, std::string> values;  ///< by partition column; null is ""
  int64_t version = 0;  ///< that added it, or the one of the checkpoint that has it
};

/// What a log says, whether a commit or a checkpoint says it.
struct DeltaAdd {
  std::string path;  ///< as the log writes it: relative to the table, or a URI; escaped
  int64_t size_bytes = 0;
  std::string stats;                                    ///< JSON, "" for none
  std::map<std::string, std::string> partition_values;  ///< null is ""
  bool has_deletion_vector = false;
};
struct DeltaMetadata {
  std::string provider;
  std::string schema;  ///< JSON
  std::vector<std::string> partition_columns;
  std::map<std::string, std::string> configuration;
};
struct DeltaProtocol {
  int64_t min_reader_version = 0;
  std::vector<std::string> reader_features;
};

/// Reads a log from its newest whole checkpoint on, and later what is new. A log that is refused is
/// read anew as soon as a listing shows that it has changed.
class DeltaLog {
 public:
  /// `folder` is that of the table, for the store.
  DeltaLog(storage::Store* store, std::string folder, otap::TableKind table)
      : store_(store), folder_(std::move(folder)), table_(otap::GetTable(table)) {}

  /// Reads what is new, of the files of _delta_log as a listing shows them. Cost: linear in the
  /// versions since the last call, or since the newest checkpoint. Errors: Invalid that says why
  /// the table is refused; those of the store.
  Status Update(const std::vector<storage::DirectoryEntry>& entries);

  int64_t version() const { return version_; }
  const std::map<std::string, DeltaFile>& files() const { return files_; }  ///< by path as written
  const std::vector<std::string>& partition_columns() const { return partition_columns_; }
  /// Returns the partition columns that files may have, as PartitionNames wants them.
  const std::vector<std::string>& columns() const { return columns_; }

  // What the readers of commits and checkpoints say. Errors: Invalid that says why the table is
  // refused.
  Status Add(DeltaAdd add, int64_t version);
  Status Remove(const std::string& path);
  Status SetMetadata(const DeltaMetadata& metadata);
  static Status CheckProtocol(const DeltaProtocol& protocol);

 private:
  struct LogFiles;
  Status Read(const LogFiles& log);
  Status Continue(const LogFiles& log);
  Status CheckLastCheckpoint(const LogFiles& log) const;
  Status ReadCommit(int64_t version);
  Status ReadAction(std::string_view line, int64_t version);
  void Reset();

  storage::Store* store_;
  std::string folder_;
  const otap::TableInfo& table_;
  int64_t version_ = -1;
  storage::DirectoryEntry last_commit_;  ///< of version_
  bool has_metadata_ = false;
  std::vector<std::string> partition_columns_;
  std::vector<std::string> columns_;
  std::map<std::string, DeltaFile> files_;
  Status refusal_;
  size_t refused_print_ = 0;  ///< of the listing that was refused
};

/// Reads a file of a checkpoint into a log. Errors: as DeltaLog.
Status ReadDeltaCheckpoint(storage::Store* store, const std::string& path, int64_t version,
                           DeltaLog* log);

}  // namespace df::lake
