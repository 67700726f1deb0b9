#include "storage/retry.h"

#include <algorithm>
#include <cmath>
#include <exception>

#include <fmt/format.h>

#include "storage/store_failure.h"

namespace df::storage {

std::chrono::steady_clock::time_point RetryClock::Now() { return std::chrono::steady_clock::now(); }

bool RetryClock::Wait(std::chrono::nanoseconds duration) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, duration, [this] { return is_stopped(); });
}

void RetryClock::Stop() {
  const std::lock_guard lock(mutex_);
  is_stopped_ = true;
  changed_.notify_all();
}

void RetryClock::Resume() {
  const std::lock_guard lock(mutex_);
  is_stopped_ = false;
}

Retry::Retry(StoreKind kind, RetryOptions options, RetryClock* clock, StoreCounters* counters,
             uint64_t seed)
    : kind_(kind), options_(options), clock_(clock), counters_(counters), random_(seed) {}

std::chrono::nanoseconds Retry::Backoff(int64_t retry) {
  const double base = static_cast<double>(options_.init_backoff.count());
  const double most = static_cast<double>(options_.max_backoff.count());
  const double grown = base * std::pow(options_.backoff_base, static_cast<double>(retry - 1));
  const double wait = std::min(grown, most);  // grown may be infinite
  const std::lock_guard lock(mutex_);
  return std::chrono::nanoseconds(
      static_cast<int64_t>(wait * std::uniform_real_distribution<double>(0.5, 1.0)(random_)));
}

Status CallClient(const std::function<Status()>& call) {
  try {
    return call();
  } catch (const std::exception& error) {
    return Status::IOError(fmt::format("the client of the store gave up: {}", error.what()));
  }
}

Status Retry::Run(Operation operation, const std::function<Status()>& request) {
  const auto begin = clock_->Now();
  Status status = RunUncounted(request);
  counters_->AddTime(operation, clock_->Now() - begin);
  return status;
}

Status Retry::RunUncounted(const std::function<Status()>& request) {
  const auto begin = clock_->Now();
  for (int64_t retry = 0;; ++retry) {
    if (clock_->is_stopped()) {
      return Status::Cancelled("the store was closed");
    }
    Status status = CallClient(request);
    if (status.ok()) {
      return status;
    }
    const Failure failure = FailureOf(kind_, status);
    counters_->num_throttled += failure == Failure::kThrottled ? 1 : 0;
    const auto wait = Backoff(retry + 1);
    const bool has_been_tried = is_left_to_client_ && failure != Failure::kCutOff;
    if (!MayPass(failure) || has_been_tried || retry >= options_.max_retries ||
        clock_->Now() + wait - begin > options_.retry_timeout) {
      ++counters_->num_failed;
      return MayPass(failure) && retry > 0 ? status.WithMessage(fmt::format(
                                                 "{}; tried {} times", status.message(), retry + 1))
                                           : status;
    }
    if (!clock_->Wait(wait)) {
      return status;
    }
    ++counters_->num_retries;
  }
}

}  // namespace df::storage
