// Runs the pipeline of one seed in simulated time and checks what must hold in every one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/node_registry.h"

namespace df::sim {

/// Problems name what was broken by a number:
///   1  every batch that was sent has exactly one outcome
///   2  what arrives was sent, what is acked has arrived, and nothing twice without a reason
///   3  no queue exceeds its budget, and memory is counted exactly
///   4  a drain ends by its deadline, and a pipeline never hangs
///   5  control does not wait for data, nor the other way round
///   6  the OTLP form of what arrives is that of what was sent
///   7  the document can be read
///   8  the metrics at the end are what the ends of the pipeline have counted
///   9  a second run sends exactly what was not acked
struct SimulationResult {
  uint64_t seed = 0;
  uint64_t trace_hash = 0;
  int64_t num_events = 0;
  int64_t num_batches = 0;
  int64_t num_acked = 0;
  bool was_forced = false;
  bool has_failed = false;  ///< a node of the pipeline has, as it was meant to
  std::vector<std::string> problems;
  std::string document;
  std::vector<std::string> last_events;

  /// Returns seed, problems, document, last events and how to do it again.
  std::string Explain() const;
};

/// Runs one seed. `nodes` are the descriptors of the product. Calls: one thread at a time.
SimulationResult Simulate(uint64_t seed, const std::vector<const engine::NodeDescriptor*>& nodes);

}  // namespace df::sim
