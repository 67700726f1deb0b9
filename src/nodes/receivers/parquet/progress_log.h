// How a replay goes, as a log line from time to time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "base/log.h"
#include "runtime/event_loop.h"

namespace df::nodes::receivers::parquet {

/// Writes a line each `kInterval` in which something was sent or answered, one when it begins to
/// wait for outcomes alone, and while there is nothing to send one each `kIdleInterval`.
/// Calls: the loop.
class ProgressLog {
 public:
  using Write = std::function<void(const std::string& line)>;

  static constexpr std::chrono::seconds kInterval{10};
  static constexpr std::chrono::minutes kIdleInterval{5};

  /// `subject` is how lines begin. Without `write` they go to the log of the process. `loop` is
  /// borrowed.
  ProgressLog(std::string subject, runtime::EventLoop* loop, Write write = nullptr);

  void Sent(int64_t num_items);
  void Answered(bool is_delivered);

 private:
  struct Counts {
    int64_t items = 0;    ///< sent
    int64_t batches = 0;  ///< sent
    int64_t delivered = 0;
    int64_t refused = 0;
    bool operator==(const Counts&) const = default;
    int64_t in_flight() const { return batches - delivered - refused; }
  };

  void OnTimer();
  void WriteProgress(runtime::SteadyTime now);
  void WriteIdle(runtime::SteadyTime now);

  std::string subject_;
  runtime::EventLoop* loop_;
  Write write_;
  Counts counts_;
  Counts told_;                        // at the last line of progress
  runtime::SteadyTime told_at_;        // the last line of either kind
  runtime::SteadyTime last_progress_;  // of the timer that found some
  runtime::Timer timer_;
};

}  // namespace df::nodes::receivers::parquet
