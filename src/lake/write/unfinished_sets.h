// What a writer that was killed has left of a set of files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

#include "base/error.h"

namespace df::lake {

/// Removes the files that a killed writer had already given their names when others of their set
/// did not have theirs. Nobody was told that such a set is stored, and without its roots, which get
/// their name last, its rows belong to nothing: a replay would call them lost for ever.
/// Cost: one listing of the partition and a footer a file of it, for each unfinished set.
class UnfinishedSets {
 public:
  explicit UnfinishedSets(std::filesystem::path base) : base_(std::move(base)) {}

  /// Removes what is visible of the set of a file that never got its name. `staged` is its path
  /// below the base; whoever calls has its lock, so its writer is dead. Files that cannot be read
  /// say nothing and stay. Returns how many files were removed. Errors: io.
  Result<int64_t> RemoveSetOf(const std::filesystem::path& staged);

 private:
  std::filesystem::path base_;
  std::set<std::string> done_;  ///< sets that were removed
};

}  // namespace df::lake
