// Attributes of resources and scopes whose records are missing as whole files.
#pragma once

#include <set>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "lake/catalog/catalog.h"
#include "lake/catalog/file_summary.h"
#include "storage/store.h"

namespace df::lake {

struct UnownedFile {
  FileSummaryPtr file;
  bool is_of_set = false;  ///< the partition has records, but none of the set of this file
};

/// Returns the files of resource_attrs and scope_attrs with rows that no record can have: those of
/// a partition without a file of records, whatever their signal, and those of a set of files of our
/// own exporter that has none. `files` has what was read of those that `listing` names. Nothing is
/// told of sets where records are in files that somebody wrote anew. Errors: when a root file
/// cannot be opened. Cost: nothing is opened where every set has its root file.
Result<std::vector<UnownedFile>> FindUnownedAttributes(storage::Store& store,
                                                       const std::string& base,
                                                       const PartitionFiles& files,
                                                       const PartitionListing& listing);

/// Says that rows of a table may be of records of a table that the tree does not have at all: it
/// may be a copy of some signals. `root_tables`: those that it has.
Status DescribeUntold(otap::TableKind kind, const std::set<otap::TableKind>& root_tables);

/// Says what is missing, of one table. `files` has at least one, all of that table.
Status DescribeUnowned(const std::string& partition, const std::vector<UnownedFile>& files);

}  // namespace df::lake
