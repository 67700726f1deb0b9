// The files of star tables that are Delta tables (docs/catalogs.md).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "lake/catalog/file_list.h"
#include "lake/lists/delta_log.h"
#include "lake/lists/partition_names.h"
#include "lake/lists/rewrite_watch.h"
#include "storage/store.h"

namespace df::lake {

class ListedLake;

struct DeltaOptions {
  bool single_partition = false;  ///< tables without _part_id hold rows of one partition
};

/// Reads the logs of the Delta tables that the folders of a base are, and what is new in them each
/// time it is asked. A table with deletion vectors, column mapping, an unknown feature or a gap in
/// its log is refused by name, and with it the signals that need it.
class DeltaList final : public FileListProvider {
 public:
  DeltaList(std::shared_ptr<storage::Store> store, std::string base, DeltaOptions options)
      : store_(std::move(store)),
        base_(std::move(base)),
        partitions_(store_.get(), base_, options.single_partition) {}

  /// Errors: as ListedLake::Open, and file_discovery when the base is a Delta table itself.
  Result<LakeListing> List(const std::vector<otap::Signal>& signals) override;

 private:
  Status ReadTable(otap::TableKind table, ListedLake* lake);
  Status AddFile(const DeltaLog& log, const std::string& path, const DeltaFile& file,
                 otap::TableKind table, ListedLake* lake);

  std::shared_ptr<storage::Store> store_;
  std::string base_;
  PartitionNames partitions_;
  RewriteWatch rewrites_;
  std::map<otap::TableKind, DeltaLog> logs_;
};

}  // namespace df::lake
