// Makes larger batches of smaller ones, and smaller ones of those that are too large.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/node.h"
#include "nodes/processors/batch/config.h"
#include "nodes/processors/batch/outcome_ledger.h"
#include "nodes/processors/batch/pending_batch.h"

namespace df::nodes::processors::batch {

/// Collects the batches of each signal until they are large or old enough. An input completes when
/// every output with items of it has.
class BatchProcessor final : public engine::Processor, public engine::CompletionHandler {
 public:
  explicit BatchProcessor(std::shared_ptr<const BatchConfig> config) : config_(std::move(config)) {}

  Status Start(engine::Effects& effects) override;
  runtime::Task<Status> Process(engine::Pdata pdata, engine::Effects& effects) override;
  runtime::Task<Status> OnTimer(engine::TimerId id, engine::Effects& effects) override;
  runtime::Task<Status> Finish(engine::Effects& effects) override;

  /// Applies every key, to what is pending too.
  Status OnConfig(const engine::NodeConfigPtr& config) override;
  /// While memory is short nothing is kept back.
  void OnMemoryPressure(engine::MemoryPressure pressure) override;

  /// One line: batches in and out.
  engine::NodeReport Report() override;

  void OnOutcome(const engine::Outcome& outcome, uint64_t calldata) override;

 private:
  /// Why a batch is sent.
  enum class Reason : uint8_t { kSize, kTimeout, kDrain, kMemory };
  static constexpr std::array<std::string_view, 4> kReasonNames = {"size", "timeout", "drain",
                                                                   "memory"};

  runtime::Task<> AddInput(otap::BatchPtr batch, OutcomeLedger::Input input);
  runtime::Task<> Flush(otap::Signal signal, Reason reason);
  runtime::Task<> SendOutput(otap::BatchPtr batch, uint64_t output);
  /// Why what is pending of a signal has to go now, if it has to.
  std::optional<Reason> ReasonToFlush(const PendingBatch& pending) const;
  void WakeForAll();
  void UpdateGauges();

  PendingBatch& pending(otap::Signal signal) { return pending_[static_cast<size_t>(signal)]; }

  std::shared_ptr<const BatchConfig> config_;
  engine::Effects* effects_ = nullptr;  ///< set by Start, as are the metrics
  std::optional<runtime::Cancellation::Subscription> on_drain_;
  std::array<PendingBatch, otap::kAllSignals.size()> pending_;
  OutcomeLedger ledger_;
  bool is_memory_short_ = false;
  int64_t num_inputs_ = 0;
  int64_t num_outputs_ = 0;
  int64_t num_refused_ = 0;
  std::string first_refusal_;
  std::array<telemetry::Counter*, kReasonNames.size()> flushes_{};
  telemetry::Gauge* pending_items_ = nullptr;
  telemetry::Gauge* pending_bytes_ = nullptr;
};

}  // namespace df::nodes::processors::batch
