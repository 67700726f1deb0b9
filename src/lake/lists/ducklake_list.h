// The files of star tables that a DuckLake catalog has (docs/catalogs.md).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "lake/catalog/file_list.h"
#include "lake/lists/partition_names.h"
#include "lake/lists/rewrite_watch.h"
#include "storage/store.h"

namespace df::lake {

struct DuckLakeOptions {
  std::string catalog;  ///< the SQLite file
  std::string schema = "main";
  int64_t snapshot = -1;          ///< -1: the newest, each time anew
  bool single_partition = false;  ///< tables without _part_id hold rows of one partition
};

/// Reads the catalog of a DuckLake each time it is asked. A table of which rows are anywhere but in
/// whole Parquet files (deletes, inlined rows, encryption), or of which columns were renamed or
/// dropped, is refused by name, and with it the signals that need it. Cost: linear in the files
/// that the catalog has had.
class DuckLakeList final : public FileListProvider {
 public:
  DuckLakeList(std::shared_ptr<storage::Store> store, std::string base, DuckLakeOptions options)
      : store_(std::move(store)),
        base_(std::move(base)),
        options_(std::move(options)),
        partitions_(store_.get(), base_, options_.single_partition) {}

  /// Errors: io when the catalog cannot be read, file_discovery when it is of an unknown version,
  /// encrypted, or has no such schema or snapshot.
  Result<LakeListing> List(const std::vector<otap::Signal>& signals) override;

 private:
  std::shared_ptr<storage::Store> store_;
  std::string base_;
  DuckLakeOptions options_;
  PartitionNames partitions_;
  RewriteWatch rewrites_;
};

}  // namespace df::lake
