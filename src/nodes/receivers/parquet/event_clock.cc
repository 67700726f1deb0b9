#include "nodes/receivers/parquet/event_clock.h"

#include <algorithm>
#include <limits>

namespace df::nodes::receivers::parquet {
namespace {

/// A wait of a hundred years does not overflow anything, and nobody sees its end.
constexpr double kMostNanos = 3.2e18;

std::chrono::nanoseconds Nanos(double nanos) {
  return std::chrono::nanoseconds(static_cast<int64_t>(std::clamp(nanos, -kMostNanos, kMostNanos)));
}

}  // namespace

std::chrono::nanoseconds EventClock::ToWall(std::chrono::nanoseconds event_time) const {
  return Nanos(static_cast<double>(event_time.count()) / speed_);
}

void EventClock::JumpTo(runtime::SteadyTime moment, int64_t event_nanos) {
  has_started_ = true;
  first_event_ = event_nanos;
  start_ = moment;
}

std::optional<runtime::SteadyTime> EventClock::DueAt(int64_t event_nanos) const {
  if (!has_started_) {
    return std::nullopt;
  }
  return start_ + Nanos(static_cast<double>(event_nanos - first_event_) / speed_);
}

void EventClock::ChangePace(runtime::SteadyTime now, double speed,
                            std::optional<std::chrono::nanoseconds> longest_gap) {
  if (has_started_) {
    first_event_ = EventAt(now);
    start_ = now;
  }
  speed_ = speed;
  longest_gap_ = longest_gap;
}

int64_t EventClock::EventAt(runtime::SteadyTime moment) const {
  const std::chrono::nanoseconds gone =
      Nanos(static_cast<double>((moment - start_).count()) * speed_);
  const int64_t room = std::numeric_limits<int64_t>::max() - first_event_;
  return std::max<int64_t>(first_event_ + std::min<int64_t>(gone.count(), room), 0);
}

void EventClock::Advance(runtime::SteadyTime now) {
  if (waiting_.empty() || static_cast<int>(waiting_.size()) < num_readers_) {
    return;
  }
  const int64_t earliest = *waiting_.begin();
  if (!has_started_) {
    has_started_ = true;
    first_event_ = earliest;
    start_ = now;
    return;
  }
  const auto gap = *DueAt(earliest) - now;
  if (longest_gap_.has_value() && gap > *longest_gap_) {
    const auto jump = gap - *longest_gap_;
    start_ -= jump;
    jumped_ += jump;
    ++num_jumps_;
  }
}

}  // namespace df::nodes::receivers::parquet
