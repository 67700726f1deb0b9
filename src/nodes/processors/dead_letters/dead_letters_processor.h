// Keeps what a destination refuses permanently: the batch goes to another out port.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/error.h"
#include "engine/node.h"
#include "engine/outage_log.h"
#include "nodes/processors/dead_letters/config.h"
#include "runtime/condition.h"
#include "runtime/event_loop.h"
#include "telemetry/instrument.h"

namespace df::nodes::processors::dead_letters {

/// Keeps each batch until it has an outcome. One that was refused permanently, whole or in part,
/// goes to the port `dead_letters`, marked with the reason (otap/dead_letter.h). When that port has
/// acknowledged it, the sender hears an ack that says how many items are dead letters. When it has
/// not, the sender hears that the batch was not delivered.
class DeadLettersProcessor final : public engine::Processor, public engine::CompletionHandler {
 public:
  explicit DeadLettersProcessor(std::shared_ptr<const DeadLettersConfig> config)
      : config_(std::move(config)) {}

  /// Errors: the document gives the node no port `dead_letters`, or no other one.
  Status Start(engine::Effects& effects) override;
  /// Errors: a dead letter could not be written, and on_error is stop.
  runtime::Task<Status> Process(engine::Pdata pdata, engine::Effects& effects) override;
  runtime::Task<Status> OnTimer(engine::TimerId id, engine::Effects& effects) override;
  /// Waits until the destination has answered everything and all letters are handed over.
  runtime::Task<Status> Finish(engine::Effects& effects) override;

  Status OnConfig(const engine::NodeConfigPtr& config) override;
  void OnCollect() override;
  engine::NodeReport Report() override;

  void OnOutcome(const engine::Outcome& outcome, uint64_t calldata) override;

 private:
  struct Kept {
    engine::Pdata pdata;      ///< with the token of the sender and the charge
    engine::Outcome refusal;  ///< of the destination; set while it is a letter
    int64_t num_refused = 0;  ///< items
  };

  void OnAnswer(uint64_t number, const engine::Outcome& outcome);
  void OnLetterOutcome(uint64_t number, const engine::Outcome& outcome);
  /// Ends the life of a batch and tells its sender.
  void Complete(uint64_t number, const engine::Outcome& outcome);
  /// Hands letters over, one after the other, as long as the node lives.
  runtime::Task<> SendLetters();
  Result<otap::BatchPtr> MakeLetter(const Kept& kept) const;

  std::shared_ptr<const DeadLettersConfig> config_;
  engine::Effects* effects_ = nullptr;
  engine::PortIndex letters_port_ = 0;
  std::unordered_map<uint64_t, Kept> kept_;  ///< by number
  std::deque<uint64_t> queue_;               ///< letters that are not handed over yet
  uint64_t next_number_ = 0;
  int64_t num_at_destination_ = 0;
  bool is_sending_letter_ = false;
  Status failure_;  ///< a letter could not be written, and the pipeline is to end

  int64_t num_letters_ = 0;                                    ///< batches that are durable
  std::array<int64_t, otap::kAllSignals.size()> num_items_{};  ///< refused ones of these
  int64_t num_failed_ = 0;
  std::string first_failure_;
  std::array<telemetry::Counter*, otap::kAllSignals.size()> items_{};
  telemetry::Counter* batches_ = nullptr;
  telemetry::Counter* failed_ = nullptr;
  telemetry::Gauge* waiting_ = nullptr;
  std::optional<engine::OutageLog> outages_;

  std::optional<runtime::Condition> changed_;
  std::optional<runtime::Wakeup> has_letter_;
  // Goes first: what it lets fall is heard.
  runtime::Task<> sending_;
};

}  // namespace df::nodes::processors::dead_letters
