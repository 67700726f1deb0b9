// The metrics of a node that reads or writes an object store.
#pragma once

#include <array>

#include "storage/store_counters.h"
#include "telemetry/metric_set.h"

namespace df::storage {

/// Shows what requests have cost (df.store.*) in the set of a node. Calls: from one thread at a
/// time.
class StoreMetrics {
 public:
  explicit StoreMetrics(telemetry::MetricSet* set);

  void Add(const StoreCounts& added);

 private:
  std::array<telemetry::Counter*, kOperationNames.size()> requests_{};
  std::array<telemetry::Counter*, kOperationNames.size()> time_{};
  telemetry::Counter* retries_;
  telemetry::Counter* throttled_;
  telemetry::Counter* failed_;
  telemetry::Counter* fetched_;
  telemetry::Counter* used_;
  telemetry::Counter* written_;
};

}  // namespace df::storage
