// When an instance that has failed is started again.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>

#include "config/policies.h"

namespace df::controller {

/// The failures of one core's instance that came one after the other.
class RestartStreak {
 public:
  /// `seed` drives the jitter.
  explicit RestartStreak(uint64_t seed) : random_(seed) {}

  /// Counts a failure. `ran_for` is how long the instance had been running; nothing when it never
  /// ran. Returns how long to wait before the next start, between half of the backoff and all of
  /// it; nothing when there is to be none.
  std::optional<std::chrono::nanoseconds> OnFailure(
      const config::RuntimeRecoveryPolicy& policy, std::optional<std::chrono::nanoseconds> ran_for);

  /// Restarts in a row so far.
  int64_t length() const { return length_; }
  void Reset() { length_ = 0; }

 private:
  int64_t length_ = 0;
  std::mt19937_64 random_;
};

}  // namespace df::controller
