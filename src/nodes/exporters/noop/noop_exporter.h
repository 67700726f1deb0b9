// Takes every batch and forgets it.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "engine/node.h"

namespace df::nodes::exporters::noop {

/// Acks every batch at once and counts items by signal.
class NoopExporter final : public engine::Exporter {
 public:
  Status Start(engine::Effects& effects) override;
  runtime::Task<Status> Export(engine::Pdata pdata, engine::Effects& effects) override;
  runtime::Task<Status> OnTimer(engine::TimerId id, engine::Effects& effects) override;
  runtime::Task<Status> Finish(engine::Effects& effects) override;

  /// One line: what was taken.
  engine::NodeReport Report() override;

 private:
  int64_t num_batches_ = 0;
  std::array<int64_t, 3> num_items_{};
};

}  // namespace df::nodes::exporters::noop
