// Sends what the engine tells about itself through a pipeline.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "engine/node.h"
#include "engine/node_registry.h"
#include "nodes/receivers/internal_telemetry/config.h"

namespace df::nodes::receivers::internal_telemetry {

/// How far the log has been sent, so that an instance that is made again goes on there. Used by
/// the first instance only.
struct LogPosition final : engine::NodeShared {
  std::atomic<uint64_t> last_sequence{0};
};

/// Every interval, and a last time when a drain is requested, sends a snapshot of the registry and
/// the log records since the last time. The registry is that of the process, so only the first of
/// several instances sends.
class InternalTelemetryReceiver final : public engine::Receiver, public engine::CompletionHandler {
 public:
  /// `log` is borrowed and outlives the receiver.
  InternalTelemetryReceiver(InternalTelemetryConfig config, std::shared_ptr<LogPosition> position,
                            const Log* log)
      : config_(std::move(config)), position_(std::move(position)), log_(log) {}

  runtime::Task<Status> Run(engine::Effects& effects) override;
  void OnOutcome(const engine::Outcome& outcome, uint64_t calldata) override;
  engine::NodeReport Report() override;

 private:
  /// Log records since the last time; `own` is the metric set of the node.
  std::vector<LogRecord> TakeRecords(telemetry::MetricSet* own);

  InternalTelemetryConfig config_;
  std::shared_ptr<LogPosition> position_;
  const Log* log_;
  int64_t num_points_ = 0;
  int64_t num_records_ = 0;
  int64_t num_lost_records_ = 0;
  int64_t num_refused_ = 0;
  std::string first_reason_;
};

}  // namespace df::nodes::receivers::internal_telemetry
