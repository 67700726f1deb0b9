#include "controller/health.h"

#include <algorithm>
#include <array>

namespace df::controller {

using enum config::InstancePhase;

bool HasQuorum(std::span<const config::InstancePhase> phases,
               const std::vector<config::InstancePhase>& good, const config::Quorum& quorum) {
  const auto count = std::count_if(phases.begin(), phases.end(), [&](config::InstancePhase phase) {
    return std::find(good.begin(), good.end(), phase) != good.end();
  });
  if (phases.empty()) {
    return false;
  }
  if (quorum.kind == config::Quorum::Kind::kAtLeast) {
    return count >= quorum.value;
  }
  return count * 100 >= quorum.value * static_cast<int64_t>(phases.size());
}

bool HasFailedFor(std::span<const FailingDestination> failing,
                  std::optional<std::chrono::nanoseconds> grace, runtime::WallTime now) {
  return grace.has_value() &&
         std::any_of(failing.begin(), failing.end(), [&](const FailingDestination& destination) {
           return now - destination.since >= *grace;
         });
}

config::InstancePhase OverallPhase(std::span<const config::InstancePhase> phases) {
  constexpr std::array kByUrgency = {kRollingBack, kUpdating, kDeleting, kFailed, kRejected,
                                     kDraining,    kStarting, kPending,  kRunning};
  for (const config::InstancePhase phase : kByUrgency) {
    if (std::find(phases.begin(), phases.end(), phase) != phases.end()) {
      return phase;
    }
  }
  return phases.empty() ? kDeleted : kStopped;
}

}  // namespace df::controller
