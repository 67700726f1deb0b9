// Child files that stand in a partition more than once.
#pragma once

#include <string>
#include <vector>

#include "lake/catalog/file_summary.h"
#include "storage/store.h"

namespace df::lake {

/// A file that has all bytes of another one of its table and partition.
struct CopiedFile {
  FileSummaryPtr file;
  Status notice;  ///< names both
};

/// Takes child files out of a partition that have the bytes of one that stays, the first in reading
/// order; returns them. A copied root file stays: whether its records are meant twice is not for
/// the reader to say. Children join by parent id over all files, so a second copy can only give a
/// record the same rows twice. Files that cannot be read stay, since reading them will say why.
/// Cost: only files with equal footers and sizes are read.
std::vector<CopiedFile> TakeOutCopies(storage::Store& store, const std::string& base,
                                      PartitionFiles* files);

}  // namespace df::lake
