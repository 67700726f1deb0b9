// Sends each batch to several destinations.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <boost/circular_buffer.hpp>

#include "engine/node.h"
#include "nodes/processors/fanout/batch_table.h"
#include "nodes/processors/fanout/config.h"
#include "runtime/event_loop.h"

namespace df::nodes::processors::fanout {

/// Sends each batch to every destination that is no fallback; one that refuses it, or says nothing
/// for too long, is replaced by its fallback, and that one by its own. The sender hears one
/// outcome, as `await_ack` says. The bytes of a batch are counted once, until the last destination
/// has ended.
class FanoutProcessor final : public engine::Processor, public engine::CompletionHandler {
 public:
  explicit FanoutProcessor(std::shared_ptr<const FanoutConfig> config);

  /// Errors: a destination whose port the document does not give this node.
  Status Start(engine::Effects& effects) override;
  runtime::Task<Status> Process(engine::Pdata pdata, engine::Effects& effects) override;
  runtime::Task<Status> OnTimer(engine::TimerId id, engine::Effects& effects) override;

  /// Waits for the outcomes of all batches.
  runtime::Task<Status> Finish(engine::Effects& effects) override;
  void OnCollect() override;

  engine::NodeReport Report() override;

  void OnOutcome(const engine::Outcome& outcome, uint64_t calldata) override;

 private:
  /// A destination as it is used.
  struct Target {
    engine::PortIndex port = 0;
    size_t route = 0;                ///< the route that it is a part of
    std::optional<size_t> fallback;  ///< the target that replaces it
    telemetry::Counter* timed_out = nullptr;
    telemetry::Counter* failed = nullptr;
    telemetry::Counter* replaced = nullptr;
  };

  /// A copy whose destination has no room.
  struct Blocked {
    engine::Pdata pdata;
    engine::PortIndex port;
  };

  bool is_full() const;
  void Begin(uint32_t index);
  void Queue(uint32_t index, size_t target);
  void Fail(uint32_t index, size_t target, const engine::Outcome& outcome);
  void EndRoute(uint32_t index, size_t route, const engine::Outcome& outcome);
  void Join(const engine::Outcome& outcome, engine::Outcome* joined) const;
  runtime::Task<> SendQueued();
  runtime::Task<> SendBlocked();
  runtime::Task<> SendOne(Blocked* blocked);
  runtime::Task<> WaitForChange();
  void CheckTimeouts();
  void ArmTimer();
  void Wake();

  std::shared_ptr<const FanoutConfig> config_;
  std::vector<Target> targets_;
  std::vector<size_t> routes_;  ///< the first target of each
  size_t primary_route_ = 0;
  bool has_timeouts_ = false;
  BatchTable table_;
  boost::circular_buffer<DeliveryId> queue_{64};
  engine::Effects* effects_ = nullptr;
  std::optional<runtime::Wakeup> wakeup_;
  std::optional<runtime::Wakeup> all_sent_;
  std::optional<runtime::Timer> check_timer_;
  bool is_waiting_ = false;  ///< Process or Finish waits for a change
  int64_t num_batches_ = 0;
  int64_t num_unheard_ = 0;  ///< deliveries that failed without their sender being told
  telemetry::Gauge* active_ = nullptr;
  telemetry::Counter* throttled_ = nullptr;
  telemetry::Counter* late_ = nullptr;
  size_t num_sending_ = 0;
  // Of the SendQueued under way. They go first: what they let fall is heard.
  std::vector<Blocked> blocked_;
  std::vector<runtime::Task<>> sending_;
};

}  // namespace df::nodes::processors::fanout
