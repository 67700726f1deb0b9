// What the operating system knows about this process, as metrics.
#pragma once

#include <memory>

#include "telemetry/metric_set.h"

namespace df::telemetry {

/// Brings the set "df.process" up to date in every snapshot of a registry for as long as it lives:
/// memory, processor time, files, threads, faults, switches, uptime, records of the log, and what
/// was built. What the system does not tell stays as it was. Owner: outlived by the registry.
class ProcessMetrics {
 public:
  explicit ProcessMetrics(Registry* registry);
  ~ProcessMetrics();

 private:
  class Set;
  std::unique_ptr<Set> set_;
  CollectHook hook_;
};

}  // namespace df::telemetry
