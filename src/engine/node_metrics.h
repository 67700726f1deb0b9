// What is measured of one node and of the edge in front of it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "config/policies.h"
#include "engine/completion.h"
#include "engine/effects.h"
#include "otap/schema.h"
#include "telemetry/metric_set.h"

namespace df::engine {

/// Returns what a pipeline instance is, as attributes of its metrics.
telemetry::Attributes PipelineAttributes(const InstanceInfo& info);

/// Counters by signal.
using SignalCounters = std::array<telemetry::Counter*, 3>;

/// Metrics of waiting for one reason.
struct WaitMetrics {
  telemetry::Counter* waits = nullptr;
  telemetry::Counter* time = nullptr;  ///< nanoseconds

  void Add(std::chrono::nanoseconds waited) {
    waits->Add(1);
    time->Add(waited.count());
  }
};

/// Owner: the registry has the numbers; a node that is made again goes on with them. Two
/// generations of a node on one loop write to the same ones, so everything is added, nothing set.
struct NodeMetrics {
  NodeMetrics(telemetry::Registry* registry, const InstanceInfo& info, std::string_view node_type,
              config::MetricsLevel metrics_level);

  /// Whether clocks are read for busy and waiting time.
  bool has_times() const { return level >= config::MetricsLevel::kNormal; }

  config::MetricsLevel level;
  telemetry::MetricSet* node;  ///< the node may add its own
  SignalCounters batches_in;
  SignalCounters items_in;
  SignalCounters batches_out;
  SignalCounters items_out;
  telemetry::Counter* acked;
  std::array<std::array<telemetry::Counter*, 2>, kNumNackCauses> nacked;  ///< by cause, permanent
  telemetry::Gauge* pending;
  telemetry::Counter* busy_time = nullptr;  ///< kNormal; nanoseconds
  WaitMetrics memory_wait;                  ///< of a receiver, over the soft limit
  WaitMetrics room_wait;                    ///< for room behind an out port
  WaitMetrics empty_wait;                   ///< for something to do
  telemetry::Counter* ticks_left_out;
  telemetry::Gauge* failing = nullptr;                     ///< of an exporter; nanoseconds
  std::array<telemetry::Histogram*, 2> outcome_latency{};  ///< kNormal; of nacks, of acks
  telemetry::Histogram* call_duration = nullptr;           ///< kDetailed
  telemetry::Gauge* edge_batches;
  telemetry::Gauge* edge_bytes;
  telemetry::Gauge* edge_batches_limit;
  telemetry::Gauge* edge_bytes_limit;
  telemetry::Histogram* edge_wait = nullptr;  ///< kDetailed
};

}  // namespace df::engine
