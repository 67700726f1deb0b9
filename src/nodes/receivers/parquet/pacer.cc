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
  SetRates(options);
}

void Pacer::SetRates(const PaceOptions& options) {
  const auto rate = [](int64_t per_second) {
    return per_second > 0 ? std::optional<RateLimit>(per_second) : std::nullopt;
  };
  items_ = rate(options.items_per_second);
  bytes_ = rate(options.bytes_per_second);
}

void Pacer::Change(const PaceOptions& options) {
  const std::lock_guard lock(mutex_);
  if (event_clock_.has_value() && options.speed.factor.has_value()) {
    event_clock_->ChangePace(Now(), *options.speed.factor, options.longest_gap.limit);
  }
  SetRates(options);
  ++num_changes_;
  changed_.notify_all();
}

bool Pacer::counts_bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_.has_value();
}

bool Pacer::has_rate() const {
  const std::lock_guard lock(mutex_);
  return items_.has_value() || bytes_.has_value();
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

runtime::SteadyTime Pacer::Now() const {
  const runtime::SteadyTime now = clock_.Now();
  return stands_since_.has_value() ? std::min(now, *stands_since_) : now;
}

void Pacer::Hold() {
  const std::lock_guard lock(mutex_);
  stands_since_ = Now();
  is_run_free_ = false;
  num_admits_ = 0;
  changed_.notify_all();
}

void Pacer::LetGo() {
  const std::lock_guard lock(mutex_);
  if (!stands_since_.has_value()) {
    return;
  }
  if (event_clock_.has_value()) {
    event_clock_->Delay(clock_.Now() - Now());
  }
  stands_since_ = std::nullopt;
  num_admits_ = 0;
  changed_.notify_all();
}

void Pacer::Admit(int64_t num_waits) {
  const std::lock_guard lock(mutex_);
  num_admits_ += num_waits;
  changed_.notify_all();
}

bool Pacer::RunFor(std::chrono::nanoseconds event_time) {
  const std::lock_guard lock(mutex_);
  if (!stands_since_.has_value() || !event_clock_.has_value()) {
    return false;
  }
  const runtime::SteadyTime now = clock_.Now();
  event_clock_->Delay(now - Now());
  stands_since_ = now + event_clock_->ToWall(event_time);
  is_run_free_ = true;
  changed_.notify_all();
  return true;
}

/// Returns what a wait has come to, nothing where it goes on.
std::optional<Pacer::Wait> Pacer::Look(int64_t event_nanos) {
  const runtime::SteadyTime now = Now();
  const bool stands = stands_since_.has_value() && now == *stands_since_;
  if (!stands) {
    event_clock_->Advance(now);
  }
  const auto due = event_clock_->DueAt(event_nanos);
  if (due.has_value() && *due <= now && (!stands || is_run_free_)) {
    return stands_since_.has_value() ? Wait::kLetThrough : Wait::kDue;
  }
  if (stands && num_admits_ > 0 && event_clock_->IsNext(event_nanos)) {
    --num_admits_;
    event_clock_->JumpTo(now, event_nanos);
    return Wait::kLetThrough;
  }
  return std::nullopt;
}

Pacer::Wait Pacer::WaitUntilDue(int64_t event_nanos, const IsStopped& is_stopped) {
  std::unique_lock lock(mutex_);
  event_clock_->BeginWait(event_nanos);
  changed_.notify_all();  // others may be due now
  std::optional<Wait> wait;
  while (!wait.has_value()) {
    wait = is_stopped() ? Wait::kStopped : Look(event_nanos);
    if (!wait.has_value()) {
      const auto due = event_clock_->DueAt(event_nanos);
      const bool comes_by_itself =
          !stands_since_.has_value() ||
          (Now() < *stands_since_ && due.has_value() && *due <= *stands_since_);
      WaitSome(&lock, comes_by_itself ? due : std::nullopt);
    }
  }
  event_clock_->EndWait(event_nanos);
  if (stands_since_.has_value()) {
    changed_.notify_all();  // who waits for the next time may be let through now
  }
  if (*wait != Wait::kStopped) {
    behind_ = Now() - *event_clock_->DueAt(event_nanos);
    most_behind_ = std::max(most_behind_, behind_);
  }
  return *wait;
}

Pacer::Wait Pacer::WithoutTime() const {
  const std::lock_guard lock(mutex_);
  return stands_since_.has_value() && clock_.Now() < *stands_since_ ? Wait::kLetThrough
                                                                    : Wait::kDue;
}

/// Needs the lock.
runtime::SteadyTime Pacer::Reserve(int64_t num_items, int64_t num_bytes) {
  const runtime::SteadyTime now = clock_.Now();
  runtime::SteadyTime when = now;
  if (items_.has_value()) {
    when = std::max(when, items_->Reserve(now, num_items));
  }
  if (bytes_.has_value()) {
    when = std::max(when, bytes_->Reserve(now, num_bytes));
  }
  return when;
}

bool Pacer::WaitForRate(int64_t num_items, int64_t num_bytes, const IsStopped& is_stopped) {
  std::unique_lock lock(mutex_);
  runtime::SteadyTime when = Reserve(num_items, num_bytes);
  uint64_t num_changes = num_changes_;
  while (!is_stopped()) {
    if (num_changes != num_changes_) {
      num_changes = num_changes_;
      when = Reserve(num_items, num_bytes);
    }
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
  return event_clock_->has_started() ? wall - event_clock_->EventAt(Now()) : 0;
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
