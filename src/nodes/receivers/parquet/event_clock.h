// A clock that runs through the times of records.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>

#include "runtime/clock.h"

namespace df::nodes::receivers::parquet {

/// Says when a record of a time is due. One clock serves all readers of a replay: it starts when
/// each reader that has work waits with its first record, at the earliest of them, and jumps when
/// all of them wait for longer than the longest gap. Calls: from one thread at a time; it reads no
/// clock itself.
class EventClock {
 public:
  /// `speed` is how many seconds of records go by in one; above 0. No gap: it never jumps.
  EventClock(double speed, std::optional<std::chrono::nanoseconds> longest_gap)
      : speed_(speed), longest_gap_(longest_gap) {}

  /// Goes on at another speed from a moment on; what is due then stays due.
  void ChangePace(runtime::SteadyTime now, double speed,
                  std::optional<std::chrono::nanoseconds> longest_gap);

  /// Returns how long so much of the times takes.
  std::chrono::nanoseconds ToWall(std::chrono::nanoseconds event_time) const;

  /// The clock stood still for so long.
  void Delay(std::chrono::nanoseconds stood_still) { start_ += stood_still; }

  /// Goes to a time at once: it is due at that moment.
  void JumpTo(runtime::SteadyTime moment, int64_t event_nanos);
  /// Tells whether nothing that is still to come can be earlier than a time that is waited for.
  bool IsNext(int64_t event_nanos) const {
    return static_cast<int>(waiting_.size()) >= num_readers_ && *waiting_.begin() == event_nanos;
  }

  /// A reader has work, or has ended with it. Between the two it may wait.
  void Enter() { ++num_readers_; }
  void Leave() { --num_readers_; }

  /// A reader waits until records of a time are due, or waits no more.
  void BeginWait(int64_t event_nanos) { waiting_.insert(event_nanos); }
  void EndWait(int64_t event_nanos) { waiting_.erase(waiting_.find(event_nanos)); }

  /// Starts or jumps where it has to. To be called after each of the above, before DueAt.
  void Advance(runtime::SteadyTime now);

  bool has_started() const { return has_started_; }

  /// When a record of a time, above 0, is due; nothing before the start.
  std::optional<runtime::SteadyTime> DueAt(int64_t event_nanos) const;

  /// The time that is due at a moment; after the start.
  int64_t EventAt(runtime::SteadyTime moment) const;

  /// What was left out by jumps, as the clock on the wall has it.
  int64_t num_jumps() const { return num_jumps_; }
  std::chrono::nanoseconds jumped() const { return jumped_; }

 private:
  double speed_;
  std::optional<std::chrono::nanoseconds> longest_gap_;
  int num_readers_ = 0;
  std::multiset<int64_t> waiting_;
  bool has_started_ = false;
  int64_t first_event_ = 0;
  runtime::SteadyTime start_;  ///< when the first event is due
  int64_t num_jumps_ = 0;
  std::chrono::nanoseconds jumped_{0};
};

}  // namespace df::nodes::receivers::parquet
