// Sends each batch to the port of its signal.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "engine/node.h"
#include "nodes/processors/type_router/config.h"
#include "otap/schema.h"
#include "runtime/event_loop.h"

namespace df::nodes::processors::type_router {

/// Sends logs to port `logs`, metrics to `metrics`, traces to `traces`; a signal without port goes
/// to the default port, and where there is none, or it is the port of another signal, is refused
/// for good.
///
/// A full route never holds up another one: its batch is nacked for now, or parked, one a port.
class TypeRouterProcessor final : public engine::Processor {
 public:
  explicit TypeRouterProcessor(std::shared_ptr<const TypeRouterConfig> config)
      : config_(std::move(config)) {}

  Status Start(engine::Effects& effects) override;
  runtime::Task<Status> Process(engine::Pdata pdata, engine::Effects& effects) override;
  runtime::Task<Status> OnTimer(engine::TimerId id, engine::Effects& effects) override;

  /// Waits until what is parked has been handed over.
  runtime::Task<Status> Finish(engine::Effects& effects) override;

  /// Applies `on_full`; what is parked stays parked.
  Status OnConfig(const engine::NodeConfigPtr& config) override;

  engine::NodeReport Report() override;

 private:
  static constexpr size_t kNumSignals = otap::kAllSignals.size();

  /// One port. Signals that share the default port share its route.
  struct Route {
    engine::PortIndex port = 0;
    bool is_parked = false;
    runtime::Task<> sending;  ///< of the parked batch
  };

  struct SignalCounters {
    telemetry::Counter* routed = nullptr;
    telemetry::Counter* parked = nullptr;
    telemetry::Counter* rejected_full = nullptr;
    telemetry::Counter* rejected_closed = nullptr;
    telemetry::Counter* dropped = nullptr;
  };

  Status FindRoutes(engine::Effects& effects);
  size_t RouteOfPort(engine::PortIndex port);
  runtime::Task<> WaitForChange();
  runtime::Task<> SendParked(size_t index, engine::Pdata pdata);
  bool is_any_parked() const;

  std::shared_ptr<const TypeRouterConfig> config_;
  engine::Effects* effects_ = nullptr;
  std::array<Route, kNumSignals> routes_;
  size_t num_routes_ = 0;
  std::array<std::optional<size_t>, kNumSignals> route_of_signal_;
  std::array<SignalCounters, kNumSignals> counters_;
  std::optional<runtime::Wakeup> wakeup_;
};

}  // namespace df::nodes::processors::type_router
