// What a PATH of the command line stands for.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "otap/schema.h"

namespace df::app {

/// A lake, or a part of one.
struct ArchivePath {
  std::string base;  ///< the folder or URI that holds the table folders
  std::vector<otap::Signal> signals = {otap::kAllSignals.begin(), otap::kAllSignals.end()};
  /// Patterns of the path of a partition below a table folder; empty: all.
  std::vector<std::string> partitions;
  /// A file of records, below the base, which alone is wanted; "": all.
  std::string file;
  std::string notice;  ///< what was taken in place of the path as it was written; or ""
};

/// Finds the lake that a path names: a base, a folder above a single one, a table folder or one in
/// it, a file of a table, a pattern with `*`, `?` or `[..]` of one of these, or the URI of a store.
/// A folder without telemetry is a base only where it may be empty: who follows it waits for some.
/// Errors: Invalid saying what is there instead and what may have been meant. Cost: lists a few
/// hundred folders at most; opens no file.
Result<ArchivePath> ResolvePath(const std::string& path, bool may_be_empty = false);

}  // namespace df::app
