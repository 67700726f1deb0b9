// What becomes of the batches that an exporter takes: for the log, for probes, for rollouts.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "engine/completion.h"
#include "engine/outage_log.h"
#include "runtime/event_loop.h"
#include "telemetry/instrument.h"

namespace df::engine {

/// How an exporter does since it was started.
struct DestinationState {
  std::string node;
  int64_t num_delivered = 0;         ///< batches
  int64_t num_refused = 0;           ///< batches, each attempt by itself
  int64_t num_permanent = 0;         ///< of these
  runtime::SteadyTime last_outcome;  ///< of any batch; the epoch: none yet
  /// Since when nothing has been delivered; nothing while batches are.
  std::optional<runtime::WallTime> failing_since;
  std::string reason;  ///< of the newest refusal
};

/// Hears every outcome that an exporter gives, writes its outages to the log, and tells when it
/// begins to deliver or to fail.
/// Owner: outlives the tokens that it watches. Calls: the loop.
class DestinationWatch {
 public:
  /// Told of the first outcome, and of every change between failing and delivering; of those that
  /// follow each other quickly only of the last, a second later.
  using OnChange = std::function<void(const DestinationState&)>;

  DestinationWatch(std::string node, std::string subject, runtime::EventLoop* loop,
                   OnChange on_change, OutageLog::Write write = nullptr);

  void OnOutcome(const Outcome& outcome);

  const DestinationState& state() const { return state_; }
  /// 0 while it delivers.
  std::chrono::nanoseconds failing_for() const;

 private:
  void Tell();
  void Arm();
  void OnTimer();

  runtime::EventLoop* loop_;
  OnChange on_change_;
  OutageLog log_;
  DestinationState state_;
  bool is_untold_ = false;  // something has changed
  std::optional<runtime::SteadyTime> last_told_;
  runtime::Timer timer_;
};

}  // namespace df::engine
