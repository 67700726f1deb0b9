// What of a task is fetched ahead.
#pragma once

#include <memory>

#include "lake/read/partition_reader.h"
#include "lake/scan/prefetcher.h"
#include "lake/scan/table_cursor.h"

namespace df::lake {

/// Returns a prefetcher of all files that a task reads; null where the store is local or the reader
/// may not need all of them.
std::unique_ptr<Prefetcher> PrefetchTask(const PartitionTask& task, const ReadContext& context);

}  // namespace df::lake
