// Several tasks read as one.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "lake/read/partition_reader.h"

namespace df::lake {

/// Returns a reader of the tasks that one was cut into, one after the other; `open` makes the
/// reader of each. Rows of tasks that are not begun count as left.
std::unique_ptr<PartitionReader> ReadOneByOne(
    std::vector<PartitionTask> tasks,
    std::function<std::unique_ptr<PartitionReader>(PartitionTask)> open);

}  // namespace df::lake
