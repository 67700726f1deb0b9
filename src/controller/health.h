// What the phases of instances come to for their pipeline.
#pragma once

#include <span>
#include <vector>

#include "config/policies.h"

namespace df::controller {

/// Tells whether enough of `phases` are among `good`. No instance at all is never enough.
bool HasQuorum(std::span<const config::InstancePhase> phases,
               const std::vector<config::InstancePhase>& good, const config::Quorum& quorum);

/// Returns the phase that says most about a pipeline: the one that somebody has to look at first.
config::InstancePhase OverallPhase(std::span<const config::InstancePhase> phases);

}  // namespace df::controller
