// Measures what comes and what the process uses.
#pragma once

#include <chrono>
#include <memory>

#include "engine/node.h"
#include "nodes/exporters/perf/perf_meter.h"

namespace df::nodes::exporters::perf {

/// Acks every batch at once, after it has been counted.
class PerfExporter final : public engine::Exporter {
 public:
  PerfExporter(std::chrono::nanoseconds frequency, std::shared_ptr<PerfMeter> meter)
      : frequency_(frequency), meter_(std::move(meter)) {}

  Status Start(engine::Effects& effects) override;
  runtime::Task<Status> Export(engine::Pdata pdata, engine::Effects& effects) override;
  runtime::Task<Status> OnTimer(engine::TimerId id, engine::Effects& effects) override;
  runtime::Task<Status> Finish(engine::Effects& effects) override;

  /// The final report over all cores, of the last one that is asked; the others have nothing.
  engine::NodeReport Report() override;

 private:
  void End();

  std::chrono::nanoseconds frequency_;
  std::shared_ptr<PerfMeter> meter_;
  engine::Effects* effects_ = nullptr;
  PerfRecorder* recorder_ = nullptr;
  bool has_ended_ = false;
};

}  // namespace df::nodes::exporters::perf
