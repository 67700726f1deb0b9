// A place below a base where small sets of files wait to be merged.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "lake/catalog/staged_records.h"
#include "lake/write/file_store.h"
#include "lake/write/set_merge.h"
#include "lake/write/staged_set.h"
#include "lake/write/write_options.h"

namespace df::lake {

/// A folder of staged sets that this process holds the lock of: others know by it that the owner
/// lives. Owner: the lock goes when it falls. Calls: from one thread.
class StagingFolder {
 public:
  /// Makes <base>/_staging/<producer> and locks it. Errors: kind io, retryable.
  static Result<std::unique_ptr<StagingFolder>> Make(const std::string& base,
                                                     const std::string& producer);

  /// Takes over a folder whose owner has ended; null where it lives, or nothing is there. Errors:
  /// kind io.
  static Result<std::unique_ptr<StagingFolder>> TakeOver(const std::filesystem::path& folder);

  ~StagingFolder();
  StagingFolder(const StagingFolder&) = delete;
  StagingFolder& operator=(const StagingFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  FileStore* store() { return store_.get(); }

  /// Removes the files of sets, the roots first: a set without them is of no more use.
  void Remove(const std::vector<StagedSet>& sets) const;

  /// Removes the folder if no file of a set is left in it.
  void RemoveIfEmpty();

 private:
  StagingFolder(std::filesystem::path path, int lock);

  std::filesystem::path path_;
  int lock_;
  std::unique_ptr<FileStore> store_;
};

/// The staged sets of one writer. Calls: from one thread, blocking on the file system.
class StagingArea {
 public:
  /// Nothing is made before the first set is staged.
  StagingArea(std::string base, std::string producer)
      : base_(std::move(base)), producer_(std::move(producer)) {}
  ~StagingArea();

  /// Returns the store for files of sets. Errors: kind io, retryable.
  Result<FileStore*> Open();

  /// Takes on a set that is durable there; of a partition, in the order of their ids.
  void Add(StagedSet set) { sets_.push_back(std::move(set)); }

  int64_t num_sets() const { return static_cast<int64_t>(sets_.size()); }
  int64_t size_bytes(otap::Signal signal) const;

  /// Gives out what is staged of a signal: a merge for each partition. `target` is borrowed.
  std::vector<std::unique_ptr<SetMerge>> TakeMerges(otap::Signal signal, FileStore* target,
                                                    const WriteOptions& options);

  /// Takes back what could not be merged, before what was added since.
  void Return(const std::vector<StagedSet>& sets) {
    sets_.insert(sets_.begin(), sets.begin(), sets.end());
  }

  /// Removes the files of sets that were merged.
  void Remove(const std::vector<StagedSet>& sets) { folder_->Remove(sets); }

 private:
  std::string base_;
  std::string producer_;
  std::unique_ptr<StagingFolder> folder_;
  std::vector<StagedSet> sets_;
};

/// Groups sets by partition, each in the order that it has; one merge for each.
std::vector<std::unique_ptr<SetMerge>> MakeMerges(std::vector<StagedSet> sets,
                                                  const std::string& staging, FileStore* target,
                                                  const WriteOptions& options);

/// What was found of writers that have ended.
struct RecoveredSets {
  int64_t sets = 0;              ///< staged sets that became visible
  int64_t merged_sets = 0;       ///< that were visible before, and only had to be removed
  int64_t rows = 0;              ///< of records, spans and metrics that became visible
  std::vector<Status> problems;  ///< sets that stay where they are
};

/// Makes visible what writers have staged at a local base that ended before they merged it, each
/// set once. Unfinished files of `target` (FileStore::RemoveStale) must have been removed before.
/// Errors: kind io.
Result<RecoveredSets> RecoverStagedSets(const std::string& base, FileStore* target,
                                        const WriteOptions& options);

}  // namespace df::lake
