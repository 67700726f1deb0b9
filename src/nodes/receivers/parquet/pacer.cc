#include "nodes/receivers/parquet/pacer.h"

#include <algorithm>

namespace df::nodes::receivers::parquet {

runtime::SteadyTime RateLimit::Reserve(runtime::SteadyTime now, int64_t amount) {
  const runtime::SteadyTime when = std::max(now, next_);
  const double seconds = static_cast<double>(amount) / static_cast<double>(per_second_);
  next_ = when + std::chrono::duration_cast<runtime::SteadyTime::duration>(
                     std::chrono::duration<double>(seconds));
  return when;
}

Pacer::Pacer(const PaceOptions& options, const runtime::Clock& clock) : clock_(clock) {
  if (options.speed.factor.has_value()) {
    event_clock_.emplace(*options.speed.factor, options.longest_gap.limit);
  }
  if (options.items_per_second > 0) {
    items_.emplace(options.items_per_second);
  }
  if (options.bytes_per_second > 0) {
    bytes_.emplace(options.bytes_per_second);
  }
}

void Pacer::Enter() {
  const std::lock_guard lock(mutex_);
  if (event_clock_.has_value()) {
    event_clock_->Enter();
  }
}

void Pacer::Leave() {
  const std::lock_guard lock(mutex_);
  if (event_clock_.has_value()) {
    event_clock_->Leave();
    changed_.notify_all();
  }
}

void Pacer::Wake() {
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

void Pacer::WaitSome(std::unique_lock<std::mutex>* lock, std::optional<runtime::SteadyTime> until) {
  if (until.has_value()) {
    changed_.wait_for(*lock, *until - clock_.Now());
  } else {
    changed_.wait(*lock);
  }
}

bool Pacer::WaitUntilDue(int64_t event_nanos, const IsStopped& is_stopped) {
  std::unique_lock lock(mutex_);
  event_clock_->BeginWait(event_nanos);
  event_clock_->Advance(clock_.Now());
  changed_.notify_all();  // others may be due now
  bool goes_on = !is_stopped();
  std::optional<runtime::SteadyTime> due = event_clock_->DueAt(event_nanos);
  while (goes_on && (!due.has_value() || *due > clock_.Now())) {
    WaitSome(&lock, due);
    goes_on = !is_stopped();
    event_clock_->Advance(clock_.Now());
    due = event_clock_->DueAt(event_nanos);
  }
  event_clock_->EndWait(event_nanos);
  if (goes_on) {
    behind_ = clock_.Now() - *due;
    most_behind_ = std::max(most_behind_, behind_);
  }
  return goes_on;
}

bool Pacer::WaitForRate(int64_t num_items, int64_t num_bytes, const IsStopped& is_stopped) {
  std::unique_lock lock(mutex_);
  const runtime::SteadyTime now = clock_.Now();
  runtime::SteadyTime when = now;
  if (items_.has_value()) {
    when = std::max(when, items_->Reserve(now, num_items));
  }
  if (bytes_.has_value()) {
    when = std::max(when, bytes_->Reserve(now, num_bytes));
  }
  while (!is_stopped()) {
    if (when <= clock_.Now()) {
      return true;
    }
    WaitSome(&lock, when);
  }
  return false;
}

int64_t Pacer::ShiftToWall(std::optional<int64_t> event_nanos) const {
  const std::lock_guard lock(mutex_);
  const int64_t wall = std::chrono::nanoseconds(clock_.WallNow().time_since_epoch()).count();
  if (event_nanos.has_value()) {
    return wall - *event_nanos;
  }
  return event_clock_->has_started() ? wall - event_clock_->EventAt(clock_.Now()) : 0;
}

Pacer::Figures Pacer::figures() const {
  const std::lock_guard lock(mutex_);
  Figures figures{.most_behind = most_behind_, .behind = behind_};
  if (event_clock_.has_value()) {
    figures.num_jumps = event_clock_->num_jumps();
    figures.jumped = event_clock_->jumped();
  }
  return figures;
}

}  // namespace df::nodes::receivers::parquet
