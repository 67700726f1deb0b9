// The sets of files that a run of batches becomes, one for each day or hour.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lake/write/file_set.h"
#include "lake/write/level_split.h"

namespace df::lake {

/// Sets of files that are written and given up together. A batch is in it as a whole. Owner: as
/// FileSet. Calls: from one thread, blocking on the file system.
class LevelledSet {
 public:
  /// `store` and `staging` are borrowed; `staging` as in FileSet. Files stand in the folder of
  /// their table, their level and `partition`.
  LevelledSet(FileStore* store, const WriteOptions& options, otap::Signal signal,
              std::string partition, int64_t unix_millis, StagingArea* staging = nullptr);

  /// Tells whether there is a set for each level, or may be one.
  bool HasRoomFor(const std::vector<LevelPart>& parts) const;

  /// Takes a batch on, in memory at first. The ids of the first part begin at `first_id`, those of
  /// each other behind the part before: ids are unique whatever the level. Errors: those of Arrow;
  /// the sets are as they were then.
  Status Add(const std::vector<LevelPart>& parts, uint32_t first_id);

  /// Writes what is in memory as row groups. Errors: kinds io, parquet, arrow; the sets are of no
  /// use then.
  Status Encode();

  /// Makes every set durable, and then all of them visible. After an error all files are gone, as
  /// far as the file system allows.
  Status Publish();

  /// The sets that were staged. After Publish.
  std::vector<StagedSet> staged() const;

  int64_t num_root_rows() const;
  int64_t pending_bytes() const;  ///< in memory, not encoded
  int64_t largest_pending_rows() const;
  int64_t largest_file_bytes() const;
  /// What is encoded; complete after Publish.
  FileCounts counts() const;

 private:
  Status PublishSets();

  FileStore* store_;
  WriteOptions options_;
  otap::Signal signal_;
  std::string partition_;
  int64_t unix_millis_;
  StagingArea* staging_;
  std::map<std::optional<int64_t>, FileSet> sets_;  ///< by level
};

/// Returns how many ids the parts take, one behind the other.
uint64_t CountIds(const std::vector<LevelPart>& parts);

}  // namespace df::lake
