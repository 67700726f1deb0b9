// Sends batches to a server over OTAP streams.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "delivery/drain_margin.h"
#include "engine/node.h"
#include "nodes/exporters/otap/client_stream.h"
#include "nodes/exporters/otap/lane.h"
#include "runtime/event_loop.h"

namespace df::nodes::exporters::otap {

/// Gives each batch to the lane of its signal with the fewest in flight. While all that its signal
/// may have is in flight, nothing more is taken. Shortly before a drain ends by force, what is not
/// answered is nacked.
class OtapExporter final : public engine::Exporter {
 public:
  /// Makes what the streams are opened with, in the loop of the exporter.
  using MakeOpener = std::function<Result<std::unique_ptr<StreamOpener>>(engine::Effects&)>;

  OtapExporter(const LaneSettings& settings, int64_t streams_per_signal, MakeOpener make_opener);

  Status Start(engine::Effects& effects) override;
  runtime::Task<Status> Export(engine::Pdata pdata, engine::Effects& effects) override;
  runtime::Task<Status> OnTimer(engine::TimerId id, engine::Effects& effects) override;
  runtime::Task<Status> Finish(engine::Effects& effects) override;

  /// One line, one more with the first failure, and some with what was too large.
  engine::NodeReport Report() override;

 private:
  using Lanes = std::vector<std::unique_ptr<Lane>>;

  void GiveUp();

  LaneSettings settings_;
  int64_t streams_per_signal_;
  MakeOpener make_opener_;
  int64_t num_batches_ = 0;
  engine::Effects* effects_ = nullptr;  ///< set by Start, as is the rest
  std::unique_ptr<StreamOpener> opener_;
  std::optional<LaneMetrics> metrics_;
  std::optional<delivery::RequestLimit> limit_;
  std::optional<delivery::TooLargeItems> too_large_;
  std::array<Lanes, df::otap::kAllSignals.size()> lanes_;
  std::optional<delivery::DrainMargin> drain_margin_;
};

}  // namespace df::nodes::exporters::otap
