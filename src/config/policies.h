// What a document may decide about how its pipelines are run, resolved for one pipeline.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/units.h"

namespace df::config {

/// `policies.channel_capacity`: what may wait in front of one node.
struct ChannelCapacityPolicy {
  int64_t pdata = 128;  ///< batches
  /// Bytes of those batches. A batch of 8,192 records is a few MiB, so the node in front stays some
  /// batches ahead, and a pipeline of a few nodes stays small beside the budgets of its receivers.
  int64_t pdata_bytes = 16_MiB;
  int64_t control_node = 256;      ///< calls of timers
  int64_t control_pipeline = 256;  ///< ends of nodes that the pipeline has not heard of
};

/// Where an instance, or a pipeline over all its cores, is in its life.
enum class InstancePhase : uint8_t {
  kPending,      ///< not begun
  kStarting,     ///< nodes are being made and started
  kRunning,      ///< takes and sends batches
  kUpdating,     ///< a new generation is replacing it
  kRollingBack,  ///< a failed update is being undone
  kDraining,     ///< receivers have been told to stop
  kStopped,      ///< ended as asked, or because its receivers were done
  kRejected,     ///< could not be started
  kFailed,       ///< a node has failed, and it waits for its restart or will not be restarted
  kDeleting,
  kDeleted,
};
inline constexpr int kNumInstancePhases = 11;

/// How many of the cores must meet a condition.
struct Quorum {
  enum class Kind : uint8_t { kAtLeast, kPercent };
  Kind kind = Kind::kAtLeast;
  int64_t value = 1;
};

/// `policies.health`: what the probes say.
struct HealthPolicy {
  std::vector<InstancePhase> live_if = {InstancePhase::kPending,  InstancePhase::kStarting,
                                        InstancePhase::kRunning,  InstancePhase::kUpdating,
                                        InstancePhase::kDraining, InstancePhase::kRollingBack,
                                        InstancePhase::kStopped,  InstancePhase::kRejected,
                                        InstancePhase::kFailed,   InstancePhase::kDeleting};
  std::vector<InstancePhase> ready_if = {InstancePhase::kRunning, InstancePhase::kUpdating};
  Quorum live_quorum = {Quorum::Kind::kAtLeast, 1};
  Quorum ready_quorum = {Quorum::Kind::kPercent, 100};
  /// Not ready once a destination has refused everything for so long; unset: it stays ready.
  std::optional<std::chrono::nanoseconds> unready_after;
};

/// How much is measured. Each level adds to the one before.
enum class MetricsLevel : uint8_t {
  kNone,      ///< nothing
  kBasic,     ///< batches and items in and out, outcomes, queue depth and bytes, drops
  kNormal,    ///< busy and waiting time, latency from receiver to outcome
  kDetailed,  ///< time of each call of a node, time that batches wait in each queue
};

/// `policies.telemetry`.
struct TelemetryPolicy {
  MetricsLevel runtime_metrics = MetricsLevel::kNormal;
};

/// Ids first..last, both included.
struct CoreRange {
  int first = 0;
  int last = 0;
};

/// `policies.resources.core_allocation`.
struct CoreAllocation {
  enum class Kind : uint8_t { kAllCores, kCoreCount, kCoreSet };
  Kind kind = Kind::kAllCores;
  int64_t count = 0;           ///< kCoreCount
  std::vector<CoreRange> set;  ///< kCoreSet
};

/// `policies.resources.memory`: bytes of batches that one instance of the pipeline holds, in queues
/// and in nodes. Over the soft limit receivers wait before they send; over the hard limit those
/// that answer a peer refuse it for now.
struct MemoryPolicy {
  int64_t soft_limit = 256_MiB;
  int64_t hard_limit = 384_MiB;  ///< > soft_limit
};

/// `policies.runtime_recovery`: what happens when an instance fails.
struct RuntimeRecoveryPolicy {
  bool enabled = true;
  int64_t max_restarts = 5;  ///< in a row
  std::chrono::nanoseconds initial_backoff = std::chrono::milliseconds(250);
  std::chrono::nanoseconds max_backoff = std::chrono::seconds(30);
  std::chrono::nanoseconds startup_timeout = std::chrono::seconds(30);
  std::chrono::nanoseconds reset_after = std::chrono::seconds(60);  ///< of running without failure
};

/// `policies.shutdown`.
struct ShutdownPolicy {
  std::chrono::nanoseconds drain_timeout = std::chrono::seconds(10);  ///< then by force
};

/// Everything about one pipeline: of each family the nearest scope that sets it, what it leaves out
/// being the default.
struct Policies {
  ChannelCapacityPolicy channel_capacity;
  HealthPolicy health;
  TelemetryPolicy telemetry;
  CoreAllocation core_allocation;
  MemoryPolicy memory;
  RuntimeRecoveryPolicy runtime_recovery;
  ShutdownPolicy shutdown;
};

}  // namespace df::config
