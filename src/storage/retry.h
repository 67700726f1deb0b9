// Requests that are made again.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <random>

#include "base/error.h"
#include "storage/store_counters.h"
#include "storage/store_options.h"
#include "storage/store_uri.h"

namespace df::storage {

/// Time, and waits that end early when the store is closed.
class RetryClock {
 public:
  virtual ~RetryClock() = default;
  virtual std::chrono::steady_clock::time_point Now();
  /// Returns false when the wait was ended by Stop.
  virtual bool Wait(std::chrono::nanoseconds duration);
  /// Ends all waits, now and later, until Resume. Calls: from any thread.
  void Stop();
  void Resume();
  bool is_stopped() const { return is_stopped_.load(std::memory_order_relaxed); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> is_stopped_{false};
};

/// Calls into the client of a store. What it throws, an answer that it cannot parse for one, is
/// returned as an IOError.
Status CallClient(const std::function<Status()>& call);

/// Makes requests again as RetryOptions say. Calls: from any thread.
class Retry {
 public:
  /// `clock` and `counters` are borrowed. `seed` decides about the part of a wait left to chance.
  Retry(StoreKind kind, RetryOptions options, RetryClock* clock, StoreCounters* counters,
        uint64_t seed);

  /// Leaves attempts to the client that makes the requests: it asks Backoff and the clock for each
  /// of them. What it does not see itself, an answer that ended early, is asked for again here.
  void LeaveToClient() { is_left_to_client_ = true; }

  /// Calls `request` until it succeeds, fails for a reason that stays, or time or attempts are
  /// over. What it throws counts as a failure that may pass. Returns its last status. The time goes
  /// to `operation`; the requests count themselves.
  Status Run(Operation operation, const std::function<Status()>& request);

  /// Returns the wait before attempt `retry`, from 1.
  std::chrono::nanoseconds Backoff(int64_t retry);

  const RetryOptions& options() const { return options_; }
  RetryClock& clock() { return *clock_; }
  StoreCounters& counters() { return *counters_; }

 private:
  Status RunUncounted(const std::function<Status()>& request);

  StoreKind kind_;
  bool is_left_to_client_ = false;
  RetryOptions options_;
  RetryClock* clock_;
  StoreCounters* counters_;
  std::mutex mutex_;
  std::mt19937_64 random_;
};

}  // namespace df::storage
