#include "controller/restart_streak.h"

#include <algorithm>

namespace df::controller {

std::optional<std::chrono::nanoseconds> RestartStreak::OnFailure(
    const config::RuntimeRecoveryPolicy& policy, std::optional<std::chrono::nanoseconds> ran_for) {
  if (ran_for.has_value() && *ran_for >= policy.reset_after) {
    length_ = 0;
  }
  if (!policy.enabled || length_ >= policy.max_restarts) {
    return std::nullopt;
  }
  std::chrono::nanoseconds backoff = policy.initial_backoff;
  for (int64_t i = 0; i < length_ && backoff < policy.max_backoff; ++i) {
    backoff *= 2;
  }
  backoff = std::min(backoff, policy.max_backoff);
  ++length_;
  // So that instances that failed of one cause do not all come back at the same moment.
  std::uniform_int_distribution<int64_t> delay(backoff.count() / 2, backoff.count());
  return std::chrono::nanoseconds(delay(random_));
}

}  // namespace df::controller
