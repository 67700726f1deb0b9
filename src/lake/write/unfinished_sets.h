// What a writer that was killed has left of a set of files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <utility>

#include "base/error.h"

namespace df::lake {

/// Removes files of a set that a killed writer had published only in part. No sender was told that
/// the set is stored. Its roots are published last, so the rows of its other files have no parents,
/// and every replay would report them as lost.
/// Cost: one listing of the partition and a footer a file of it, for each unfinished set.
class UnfinishedSets {
 public:
  explicit UnfinishedSets(std::filesystem::path base) : base_(std::move(base)) {}

  /// Removes the published files of the set that a staged file belongs to. `staged` is its path
  /// below the base. The caller holds the lock of that file, so the writer is dead. Files that
  /// cannot be read stay. Returns the number of files removed. Errors: io.
  Result<int64_t> RemoveSetOf(const std::filesystem::path& staged);

 private:
  std::filesystem::path base_;
  std::set<std::string> done_;  ///< sets that were removed
};

}  // namespace df::lake
