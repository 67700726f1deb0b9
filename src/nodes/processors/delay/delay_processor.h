// Sends each batch on a while after it came.
#pragma once

#include <memory>
#include <optional>

#include <boost/circular_buffer.hpp>

#include "engine/node.h"
#include "nodes/processors/delay/config.h"
#include "runtime/event_loop.h"

namespace df::nodes::processors::delay {

/// Keeps each batch, with its token and its bytes, for a while and sends it on in the order of
/// arrival. A drain ends all waits.
class DelayProcessor final : public engine::Processor {
 public:
  explicit DelayProcessor(std::shared_ptr<const DelayConfig> config) : config_(std::move(config)) {}

  Status Start(engine::Effects& effects) override;
  runtime::Task<Status> Process(engine::Pdata pdata, engine::Effects& effects) override;
  runtime::Task<Status> OnTimer(engine::TimerId id, engine::Effects& effects) override;
  runtime::Task<Status> Finish(engine::Effects& effects) override;

  /// Applies both keys; batches that wait already keep their time.
  Status OnConfig(const engine::NodeConfigPtr& config) override;
  void OnCollect() override;

  engine::NodeReport Report() override;

 private:
  struct Waiting {
    engine::Pdata pdata;
    runtime::SteadyTime due;
  };

  bool is_full() const { return static_cast<int64_t>(waiting_.size()) >= config_->max_pending; }
  runtime::Task<> SendDue();
  runtime::Task<> WaitForDue();
  void OnDue();
  void ArmTimer();

  std::shared_ptr<const DelayConfig> config_;
  engine::Effects* effects_ = nullptr;
  boost::circular_buffer<Waiting> waiting_{16};  ///< due times never fall from front to back
  std::optional<runtime::Wakeup> wakeup_;
  std::optional<runtime::Timer> timer_;
  std::optional<runtime::Cancellation::Subscription> on_drain_;
  bool is_waiting_ = false;  ///< Process or Finish waits for the next due time
  int64_t num_sent_ = 0;
  telemetry::Gauge* pending_ = nullptr;
};

}  // namespace df::nodes::processors::delay
