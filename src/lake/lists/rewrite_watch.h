// Notices that a catalog has replaced files whose rows may have been sent.
#pragma once

#include <map>
#include <set>
#include <string>

#include "lake/catalog/catalog.h"
#include "otap/schema.h"

namespace df::lake {

/// Compares each look at a catalog with the one before. Catalogs write rows anew (merges, OPTIMIZE,
/// UPDATE): then files of a partition are gone and others are new, with rows that a replay which
/// follows the catalog has sent. It sends them once more, which must not happen without a word.
/// Memory: the paths of the root files that are listed. Calls: from one thread.
class RewriteWatch {
 public:
  /// Adds a problem for each root table of which files were replaced since the look before.
  /// Cost: linear in the root files.
  void Look(LakeListing* listing);

 private:
  using Partitions = std::map<std::string, std::set<std::string>>;

  /// Returns OK where nothing was replaced.
  static Status Compare(otap::TableKind table, const Partitions& before, const Partitions& now);

  /// By table and partition: paths of the files that were listed last.
  std::map<otap::TableKind, Partitions> known_;
};

}  // namespace df::lake
