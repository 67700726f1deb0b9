// Sends telemetry that it makes up.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/node.h"
#include "nodes/receivers/traffic_generator/pools.h"
#include "nodes/receivers/traffic_generator/random.h"

namespace df::nodes::receivers::traffic_generator {

/// Sends batches at a rate or as fast as the pipeline takes them, until it has sent as many items
/// as it shall or a drain is requested. The instances of several cores share rate and number, and
/// each has random numbers of its own.
class TrafficGenerator final : public engine::Receiver, public engine::CompletionHandler {
 public:
  TrafficGenerator(std::shared_ptr<const TrafficGeneratorConfig> config,
                   const engine::InstanceInfo& info);

  runtime::Task<Status> Run(engine::Effects& effects) override;
  void OnOutcome(const engine::Outcome& outcome, uint64_t calldata) override;
  engine::NodeReport Report() override;

 private:
  /// The signal that is furthest behind its share.
  otap::Signal NextSignal() const;
  int64_t NextSize() const;
  Result<otap::BatchPtr> NextBatch(otap::Signal signal, int64_t num_rows,
                                   const runtime::Clock& clock);
  /// When the next batch is due; the past where there is no rate.
  runtime::SteadyTime DueTime(runtime::SteadyTime start) const;
  runtime::Task<bool> WaitForTurn(engine::Effects& effects, runtime::SteadyTime* start);

  std::shared_ptr<const TrafficGeneratorConfig> config_;
  Pools pools_;
  Random random_;
  std::optional<int64_t> rate_;  // a second, of this instance
  std::optional<int64_t> max_count_;
  int64_t num_sent_ = 0;                    // log records, spans and metrics
  int64_t num_paced_ = 0;                   // of them, since the start that times count from
  std::array<int64_t, 3> num_of_signal_{};  // of them, by signal
  std::array<std::vector<otap::BatchPtr>, 3> pre_generated_;
  std::array<size_t, 3> next_pre_generated_{};
  telemetry::Counter* behind_ = nullptr;
  int64_t num_acked_ = 0;  // batches
  int64_t num_nacked_ = 0;
  std::string first_reason_;
};

}  // namespace df::nodes::receivers::traffic_generator
