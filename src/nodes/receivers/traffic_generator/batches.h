// Batches of made-up telemetry.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "nodes/receivers/traffic_generator/pools.h"
#include "nodes/receivers/traffic_generator/random.h"
#include "otap/batch.h"

namespace df::nodes::receivers::traffic_generator {

/// Each makes a canonical batch of `num_rows` log records, spans or metrics of about `unix_nanos`.
/// The same state of `random` gives the same batch but for its times.
Result<otap::BatchPtr> MakeLogs(const Pools& pools, int64_t num_rows, int64_t unix_nanos,
                                Random* random);
Result<otap::BatchPtr> MakeSpans(const Pools& pools, int64_t num_rows, int64_t unix_nanos,
                                 Random* random);
Result<otap::BatchPtr> MakeMetrics(const Pools& pools, int64_t num_rows, int64_t unix_nanos,
                                   Random* random);

Result<otap::BatchPtr> MakeBatch(otap::Signal signal, const Pools& pools, int64_t num_rows,
                                 int64_t unix_nanos, Random* random);

}  // namespace df::nodes::receivers::traffic_generator
