// Small batches whose items can be told apart wherever they arrive.
#pragma once

#include <cstdint>
#include <vector>

#include "otap/batch.h"

namespace df::sim {

/// Returns one of the batches that every simulation is made from; `choice` may be anything. Each
/// has at least one item. They are random, valid, and the same in every process.
otap::BatchPtr PooledBatch(uint64_t choice);

/// Returns the batch with the numbers first_item, first_item + 1, .. as the times of its items.
otap::BatchPtr NumberItems(const otap::Batch& batch, int64_t first_item);

/// Appends the numbers of the items of a batch.
void ReadItems(const otap::Batch& batch, std::vector<int64_t>* items);

}  // namespace df::sim
