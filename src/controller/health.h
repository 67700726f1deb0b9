// What the phases of instances come to for their pipeline.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <vector>

#include "config/policies.h"
#include "controller/control_plane.h"

namespace df::controller {

/// Tells whether enough of `phases` are among `good`. No instance at all is never enough.
bool HasQuorum(std::span<const config::InstancePhase> phases,
               const std::vector<config::InstancePhase>& good, const config::Quorum& quorum);

/// Tells whether one of `failing` has been so for `grace` at `now`; never without a grace.
bool HasFailedFor(std::span<const FailingDestination> failing,
                  std::optional<std::chrono::nanoseconds> grace, runtime::WallTime now);

/// Returns the phase that says most about a pipeline: the one that somebody has to look at first.
config::InstancePhase OverallPhase(std::span<const config::InstancePhase> phases);

}  // namespace df::controller
