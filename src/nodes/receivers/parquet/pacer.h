// Holds records back until they are due.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>

#include "nodes/receivers/parquet/event_clock.h"
#include "nodes/receivers/parquet/pace_options.h"
#include "runtime/clock.h"

namespace df::nodes::receivers::parquet {

/// Spaces amounts out so that no more than a rate goes by, without saving up what was not used.
class RateLimit {
 public:
  explicit RateLimit(int64_t per_second) : per_second_(per_second) {}

  /// Returns when an amount may go, not before `now`; the next one may when its time is over.
  runtime::SteadyTime Reserve(runtime::SteadyTime now, int64_t amount);

 private:
  int64_t per_second_;
  runtime::SteadyTime next_;
};

/// What the readers of a replay wait for, over all cores. Calls: from any thread.
class Pacer {
 public:
  /// Tells whether nobody waits for him any more: asked while he waits.
  using IsStopped = std::function<bool()>;

  /// `clock` is borrowed and tells what the time is; waits are real ones.
  Pacer(const PaceOptions& options, const runtime::Clock& clock);

  bool goes_by_time() const { return event_clock_.has_value(); }
  bool counts_bytes() const;
  bool has_rate() const;

  /// Goes on at another pace, which those that wait follow at once. Whether it goes by time stays
  /// as it was.
  void Change(const PaceOptions& options);

  /// A reader has work, or has ended with it.
  void Enter();
  void Leave();

  /// Has the clock of the times stand still: nothing is due any more.
  void Hold();
  /// Has it go on where it stands.
  void LetGo();
  /// While it stands: lets the earliest `num_waits` through, and goes to their times.
  void Admit(int64_t num_waits);
  /// While it stands: has it go on for so much of the times, at its speed, and stand then. Returns
  /// false where it does not stand.
  bool RunFor(std::chrono::nanoseconds event_time);

  /// What a wait has come to.
  enum class Wait : uint8_t {
    kStopped,
    kDue,
    kLetThrough  ///< the clock has been held: it was due by Admit or RunFor
  };
  /// Waits until records are due whose latest is of this time. By time only.
  Wait WaitUntilDue(int64_t event_nanos, const IsStopped& is_stopped);

  /// The same of records without times, which are due at once.
  Wait WithoutTime() const;

  /// Waits until so much may go. Returns false when it was stopped.
  bool WaitForRate(int64_t num_items, int64_t num_bytes, const IsStopped& is_stopped);

  /// Makes those that wait see that they are stopped.
  void Wake();

  /// Returns what is to be added to a time, nothing for the one that is due now, so that it becomes
  /// that on the wall. By time only.
  int64_t ShiftToWall(std::optional<int64_t> event_nanos) const;

  struct Figures {
    std::chrono::nanoseconds most_behind{0};  ///< that anything came behind its time
    std::chrono::nanoseconds behind{0};       ///< that the last one came
    int64_t num_jumps = 0;
    std::chrono::nanoseconds jumped{0};
  };
  Figures figures() const;

 private:
  /// What the clock on the wall says, as far as it counts. Needs the lock, as all of these.
  runtime::SteadyTime Now() const;
  std::optional<Wait> Look(int64_t event_nanos);
  void SetRates(const PaceOptions& options);
  runtime::SteadyTime Reserve(int64_t num_items, int64_t num_bytes);
  /// Waits for a moment, nothing for one that is not known yet, or for a call that changes it.
  void WaitSome(std::unique_lock<std::mutex>* lock, std::optional<runtime::SteadyTime> until);

  const runtime::Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<EventClock> event_clock_;
  std::optional<RateLimit> items_;
  std::optional<RateLimit> bytes_;
  uint64_t num_changes_ = 0;  ///< of the rates
  /// Since when the clock stands; it goes on until then where that is still to come.
  std::optional<runtime::SteadyTime> stands_since_;
  bool is_run_free_ = false;  ///< what is due until then may go
  int64_t num_admits_ = 0;
  std::chrono::nanoseconds most_behind_{0};
  std::chrono::nanoseconds behind_{0};
};

}  // namespace df::nodes::receivers::parquet
