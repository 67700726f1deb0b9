// Outages as a few log lines: that something fails, that it still does, that it works again.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "runtime/clock.h"

namespace df::engine {

/// Told of every failure and success, it writes a line when an outage begins, one each `interval`
/// while it lasts, and one when it is over. An outage that begins within `interval` of the line
/// about another is written when it has lasted until then; one that is over before is counted and
/// told with the next.
/// Calls: one at a time.
class OutageLog {
 public:
  /// The parts of its lines: "<subject>: <failing>: <cause>", "<subject>: <working> after 42s".
  struct Words {
    std::string subject;  ///< "node 'out', core 3"
    std::string failing = "nothing is delivered";
    std::string working = "delivering again";
    std::string failures = "batches refused";  ///< what is counted
  };
  using Write = std::function<void(LogLevel level, const std::string& line)>;

  static constexpr std::chrono::nanoseconds kInterval = std::chrono::seconds(30);

  /// `clock` is borrowed. Without `write` lines go to the log of the process.
  OutageLog(Words words, const runtime::Clock* clock, Write write = nullptr);

  void Failed(std::string_view cause);
  void Succeeded();

  /// Writes the line that is due; called at next_line() or later.
  void OnTime();
  /// When the next line of an outage is due; nothing while there is none.
  std::optional<runtime::SteadyTime> next_line() const;

  bool is_failing() const { return failing_since_.has_value(); }
  /// Of the outage that lasts.
  std::optional<runtime::SteadyTime> failing_since() const { return failing_since_; }
  int64_t num_failures() const { return num_failures_; }
  /// The newest cause.
  const std::string& cause() const { return cause_; }

 private:
  void WriteFailing(runtime::SteadyTime now);

  const Words words_;
  const runtime::Clock& clock_;
  const Write write_;
  std::optional<runtime::SteadyTime> failing_since_;
  int64_t num_failures_ = 0;
  std::string cause_;
  bool is_told_ = false;                          // the outage that lasts
  std::optional<runtime::SteadyTime> last_line_;  // that told of failing
  int64_t num_untold_ = 0;  // outages that were over before their line was due
};

}  // namespace df::engine
