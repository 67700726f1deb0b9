// Which cores the instances of each pipeline run on.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "config/policies.h"
#include "config/problems.h"

namespace df::config {

/// What one pipeline asks for.
struct CoreRequest {
  CoreAllocation allocation;
  Mark mark;         ///< of the allocation, for problems
  std::string path;  ///< of the allocation
};

/// Gives every request its cores, ascending, out of `allowed` (ascending).
///
/// all_cores: every core, shared with whoever wants it. core_set: exactly those, also where another
/// set has them. core_count: exclusive; cores that no set and no other count has, in ascending
/// order. Sets are placed before counts, whatever their order. `reserved` are cores that pipelines
/// outside of `requests` hold by set or count.
/// Problems: a core of a set that may not be used; too few cores left for a count. Its request has
/// an empty result then.
std::vector<std::vector<int>> PlaceCores(std::span<const CoreRequest> requests,
                                         std::span<const int> allowed,
                                         std::span<const int> reserved, Problems* problems);

}  // namespace df::config
