#include "nodes/processors/delay/config.h"

namespace df::nodes::processors::delay {

const config::FieldTable<DelayConfig>& DelayFields() {
  static const config::FieldTable<DelayConfig> table = {
      config::Duration("delay", &DelayConfig::delay, "how long each batch is kept",
                       {0, std::chrono::nanoseconds(std::chrono::hours(24)).count()})
          .Required(),
      config::Integer("max_pending", &DelayConfig::max_pending, {1, 1'000'000},
                      "batches kept; when there are as many, input waits"),
  };
  return table;
}

}  // namespace df::nodes::processors::delay
