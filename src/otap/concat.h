// Several batches as one.
#pragma once

#include <cstddef>
#include <span>

#include <arrow/result.h>

#include "otap/batch.h"

namespace df::otap {

/// Tells how many of the first batches fit into one: at most kMaxRootRows root rows. At least 1
/// unless there are none.
size_t CountFitting(std::span<const BatchPtr> batches);

/// Returns the rows of all batches, in order, as one batch. Shape: the ids of each batch are
/// shifted behind those of the batches before it; where that would leave the width of an id they
/// are numbered anew in order of first use. Resources and scopes of different batches stay apart.
/// Columns as in ConcatTables. Needs plain ids and batches of one signal; one batch is returned as
/// it is. Errors: Invalid for no batch, for two signals, and for more root rows than a batch may
/// have, saying how many batches fit; those of Arrow.
arrow::Result<BatchPtr> Concat(std::span<const BatchPtr> batches);

}  // namespace df::otap
