// Refuses a share of the batches: the flaky destination of tests and demonstrations.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <random>

#include "engine/node.h"
#include "nodes/exporters/error/config.h"

namespace df::nodes::exporters::error {

/// Nacks batches by chance and acks the others. Which ones depends on the seed, the number of the
/// instance and the order of arrival only.
class ErrorExporter final : public engine::Exporter {
 public:
  ErrorExporter(std::shared_ptr<const ErrorConfig> config, int instance_index)
      : config_(std::move(config)),
        random_(static_cast<uint64_t>(config_->seed) * 1'000'003 +
                static_cast<uint64_t>(instance_index)) {}

  Status Start(engine::Effects& effects) override;
  runtime::Task<Status> Export(engine::Pdata pdata, engine::Effects& effects) override;
  runtime::Task<Status> OnTimer(engine::TimerId id, engine::Effects& effects) override;
  runtime::Task<Status> Finish(engine::Effects& effects) override;

  /// One line: what was refused and what was taken.
  engine::NodeReport Report() override;

 private:
  std::shared_ptr<const ErrorConfig> config_;
  std::mt19937_64 random_;
  int64_t num_refused_ = 0;
  int64_t num_taken_ = 0;
  std::array<int64_t, 3> num_items_taken_{};
};

}  // namespace df::nodes::exporters::error
