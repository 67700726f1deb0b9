// Prints what passes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "engine/node.h"
#include "engine/node_registry.h"
#include "nodes/processors/debug/batch_counts.h"
#include "nodes/processors/debug/config.h"
#include "nodes/processors/debug/debug_output.h"

namespace df::nodes::processors::debug {

/// What was seen and printed.
struct DebugTotals {
  std::array<BatchCounts, otap::kAllSignals.size()> counts;  ///< by signal
  int64_t not_printed = 0;
  std::string first_error;  ///< why the first was not printed

  DebugTotals& operator+=(const DebugTotals& other);

  /// Returns a line for each signal that came.
  engine::NodeReport Report() const;
};

/// What the instances on all cores share. Synchronises itself.
class DebugShared final : public engine::NodeShared {
 public:
  explicit DebugShared(std::unique_ptr<DebugOutput> output) : output_(std::move(output)) {}

  DebugOutput& output() { return *output_; }

  /// Adds what one instance has seen, at its end.
  void Add(const DebugTotals& totals);
  DebugTotals totals() const;

 private:
  std::unique_ptr<DebugOutput> output_;
  mutable std::mutex mutex_;
  DebugTotals totals_;
};

/// Sends every batch on unchanged, with its token, after it has been printed. What cannot be
/// printed is sent on all the same, and counted.
class DebugProcessor final : public engine::Processor {
 public:
  DebugProcessor(DebugConfig config, std::shared_ptr<DebugShared> shared)
      : config_(std::move(config)), shared_(std::move(shared)) {}

  Status Start(engine::Effects& effects) override;
  runtime::Task<Status> Process(engine::Pdata pdata, engine::Effects& effects) override;
  runtime::Task<Status> OnTimer(engine::TimerId id, engine::Effects& effects) override;
  runtime::Task<Status> Finish(engine::Effects& effects) override;

  /// The totals of this instance, which are added to the shared ones.
  engine::NodeReport Report() override;

 private:
  void PrintBatch(const otap::Batch& batch);
  void PrintSums();
  void Print(const Status& made, std::string_view block);

  DebugConfig config_;
  std::shared_ptr<DebugShared> shared_;
  DebugTotals totals_;
  std::array<int64_t, otap::kAllSignals.size()> printed_batches_{};  ///< in the last sums
};

}  // namespace df::nodes::processors::debug
