// A snapshot of the registry as OTAP batches.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "otap/batch.h"
#include "telemetry/snapshot.h"

namespace df::nodes::receivers::internal_telemetry {

using Resource = std::map<std::string, std::string>;

/// Makes batches of a snapshot: one resource, a scope for each metric set with its attributes, and
/// under it each metric of the set. Counters are cumulative monotonic sums, up-down counters
/// cumulative sums, histograms have explicit bounds; all start when the set was made.
/// Shape: a set is in one batch; a batch ends when it has `max_rows` metrics or soon after.
class MetricBatches {
 public:
  /// `resource` is borrowed.
  MetricBatches(telemetry::MetricSnapshot snapshot, const Resource& resource, int64_t max_rows);
  ~MetricBatches();

  /// Returns the next batch, null at the end.
  Result<otap::BatchPtr> Next();

 private:
  struct Set;

  telemetry::MetricSnapshot snapshot_;
  const Resource& resource_;
  int64_t max_rows_;
  std::vector<Set> sets_;
  size_t next_ = 0;
};

}  // namespace df::nodes::receivers::internal_telemetry
