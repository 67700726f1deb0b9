// Sends batches again that were refused for now.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string_view>

#include "engine/node.h"
#include "engine/outage_log.h"
#include "nodes/processors/retry/config.h"
#include "nodes/processors/retry/slot_table.h"
#include "runtime/event_loop.h"

namespace df::nodes::processors::retry {

/// Keeps each batch until it has an outcome and sends it again after every temporary nack, until it
/// is acked, refused for good, or out of time; the sender hears the last word only.
///
/// A drain makes everything that waits due at once and later waits short; shortly before its
/// deadline what still waits is nacked, so that senders hear why.
class RetryProcessor final : public engine::Processor, public engine::CompletionHandler {
 public:
  RetryProcessor(std::shared_ptr<const RetryConfig> config, const engine::InstanceInfo& info);

  Status Start(engine::Effects& effects) override;
  runtime::Task<Status> Process(engine::Pdata pdata, engine::Effects& effects) override;
  runtime::Task<Status> OnTimer(engine::TimerId id, engine::Effects& effects) override;
  runtime::Task<Status> Finish(engine::Effects& effects) override;

  /// Applies every key; waits that have begun keep their length.
  Status OnConfig(const engine::NodeConfigPtr& config) override;
  void OnCollect() override;

  /// One line: how many batches needed it and how they ended.
  engine::NodeReport Report() override;

  void OnOutcome(const engine::Outcome& outcome, uint64_t calldata) override;

 private:
  /// Why a batch is not sent again.
  enum class End : uint8_t {
    kPermanent,
    kMaxElapsedTime,
    kMaxRetries,
    kRouteClosed,
    kDrainDeadline,
    kNoAnswer,
  };
  static constexpr size_t kNumEnds = 6;
  static std::string_view Name(End end);

  runtime::Task<> SendSlot(uint32_t index);
  runtime::Task<> SendDue();
  runtime::Task<> WaitForChange();
  void OnNack(uint32_t index, const engine::Outcome& outcome);
  void GiveUp(uint32_t index, End end);
  std::chrono::nanoseconds NextWait(int64_t num_attempts);
  void ArmTimer();
  void OnDue();
  void OnDrain();
  void GiveUpWaiting();
  void GiveUpUnanswered();
  void WakeWaiter();

  std::shared_ptr<const RetryConfig> config_;
  std::mt19937_64 random_;
  SlotTable slots_;
  engine::Effects* effects_ = nullptr;
  /// Both set by Start, as are the rest below.
  std::optional<runtime::Wakeup> wakeup_;
  std::optional<runtime::Timer> due_timer_;
  std::optional<runtime::Timer> give_up_timer_;
  std::optional<runtime::Cancellation::Subscription> on_drain_;
  std::optional<runtime::SteadyTime> give_up_at_;  ///< of a drain that is under way
  std::optional<engine::OutageLog> outages_;
  bool is_waiting_ = false;  ///< Process or Finish waits for an outcome or a due time
  telemetry::Counter* scheduled_ = nullptr;
  telemetry::Counter* recovered_ = nullptr;
  telemetry::Gauge* waiting_ = nullptr;
  telemetry::Gauge* kept_ = nullptr;
  std::array<telemetry::Counter*, kNumEnds> terminated_{};
};

}  // namespace df::nodes::processors::retry
