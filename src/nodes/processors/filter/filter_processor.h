// Drops what its configuration does not want.
#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "engine/node.h"
#include "nodes/processors/filter/record_filter.h"

namespace df::nodes::processors::filter {

/// Sends on what is left of each batch with its token; a batch of which nothing is left is acked.
class FilterProcessor final : public engine::OneToOneProcessor {
 public:
  explicit FilterProcessor(RecordFilter filter) : filter_(std::move(filter)) {}

  Status Start(engine::Effects& effects) override;
  Result<otap::BatchPtr> Transform(const otap::BatchPtr& batch) override;

  /// How many items of each signal were dropped, and for how many the condition had no answer.
  engine::NodeReport Report() override;

 private:
  RecordFilter filter_;
  Unanswered unanswered_;
  std::array<telemetry::Counter*, otap::kAllSignals.size()> dropped_items_{};
  std::array<telemetry::Counter*, otap::kAllSignals.size()> unanswered_items_{};
};

}  // namespace df::nodes::processors::filter
