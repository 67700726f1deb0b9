// Files of several writers in one partition, read apart.
#pragma once

#include <string>
#include <vector>

#include "lake/read/partition_reader.h"
#include "storage/store.h"

namespace df::lake {

/// Cuts a task into one for each set of files of our own exporter (docs/parquet-files.md) where two
/// sets have ids in common. One writer gives every set ids of its own, so these are of several, and
/// an id means something inside its set only. Sets without a root file that is to be read now are
/// left out of a partial task. Files of no set, or written anew by another program, are read
/// together, and named where there are root rows among them. Returns the task as it is where no
/// ids are in common: nothing is opened then.
std::vector<PartitionTask> SplitBySets(storage::Store* store, const std::string& base,
                                       PartitionTask task, ReadReport* report);

}  // namespace df::lake
