// What the folder of one table holds.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "lake/catalog/catalog.h"
#include "lake/catalog/file_summary.h"
#include "otap/schema.h"
#include "storage/directory.h"

namespace df::lake {

/// Tells whether records of a range of times are wanted. Calls: from any thread.
using WantsTimes = std::function<bool(const EventTimeRange&)>;

/// Names of objects may have parts that no directory has: "", "." and "..".
inline constexpr std::string_view kUnwalkable =
    "a part of the name is empty, '.' or '..': the object is not read";
inline bool IsUnwalkable(const std::string& name) { return name.find('/') != std::string::npos; }

/// The files of a table as its folder shows them.
struct TableListing {
  std::map<std::string, std::vector<FileEntry>> partitions;  ///< each sorted by path
  std::map<std::string, SealEntry> seals;                    ///< of a root table, by level
  std::vector<Status> problems;                              ///< as in LakeListing
  std::vector<Status> notices;
  int64_t num_files = 0;
  int64_t num_folders_skipped = 0;
  bool has_linked_times = false;  ///< of days or hours there are links, which were walked
  bool is_incomplete = false;     ///< there are directories whose files are not listed
  bool is_plain = true;           ///< as in LakeListing
};

/// Directories that no walk of a table enters, with what they are.
using WalkBounds = std::map<storage::FileNumber, std::string>;

/// Walks the folder of a table, of which `top` is the listing: real directories first, then what
/// links lead to. Shape, links and what is passed over: as ListLake says. `wants_times` is null
/// where no folder of times is passed over. Cost: one listing per directory. Calls: from any
/// thread.
TableListing WalkTable(storage::DirectoryReader* directories, const std::string& base,
                       otap::TableKind kind, Result<storage::DirectoryListing> top,
                       WalkBounds bounds, const WantsTimes* wants_times);

/// Lists the folder of one partition of a table, `is_deep`: and all below it. Links to folders are
/// not followed: the listing is not plain then. One that is not there has no files. Calls: from any
/// thread.
TableListing WalkPartition(storage::DirectoryReader* directories, const std::string& base,
                           otap::TableKind kind, const std::string& partition, bool is_deep);

}  // namespace df::lake
