// Where the list of the files of a lake comes from.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "lake/catalog/catalog.h"
#include "otap/schema.h"

namespace df::lake {

/// Says which files a lake has now. Calls: from one thread at a time.
class FileListProvider {
 public:
  virtual ~FileListProvider() = default;

  /// Lists the tables that the signals need, and the roots of the others, as ListLake does: paths
  /// below the base, sizes and times as the store gives them. A file that cannot be had is a
  /// problem of the listing and costs itself. Errors: kinds file_discovery and io when the list as
  /// a whole cannot be read.
  virtual Result<LakeListing> List(const std::vector<otap::Signal>& signals) = 0;

  /// Tells whether ListChanged has something to look at. Calls: from any thread.
  virtual bool HasChanges() const { return false; }

  /// Tells whether ListChanged, and not only List, finds what changes.
  virtual bool IsWatched() const { return false; }

  /// Lists the partitions in which files have come since this was called last, and `partitions`,
  /// each whole: as List would, without seals. One that has no files any more is there without any.
  /// What is left for List is left out. Nothing: everything has to be listed. Needs a List before.
  /// Cost: the files of these partitions, and one listing of a directory a table for each.
  virtual Result<std::optional<LakeListing>> ListChanged(const std::vector<otap::Signal>&,
                                                         const std::set<std::string>&) {
    return LakeListing();
  }
};

}  // namespace df::lake
