#include "config/core_placement.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace df::config {
namespace {

std::string List(const std::vector<int>& cores) {
  return cores.empty() ? "none" : fmt::format("{}", fmt::join(cores, ","));
}

std::vector<int> PlaceSet(const CoreRequest& request, std::span<const int> allowed,
                          Problems* problems) {
  std::set<int> cores;
  std::vector<int> unusable;
  for (const CoreRange& range : request.allocation.set) {
    for (int core = range.first; core <= range.last; ++core) {
      if (std::binary_search(allowed.begin(), allowed.end(), core)) {
        cores.insert(core);
      } else {
        unusable.push_back(core);
      }
    }
  }
  if (!unusable.empty()) {
    problems->Add(request.mark,
                  fmt::format("{}: core {} cannot be used, expected some of {}", request.path,
                              List(unusable), List({allowed.begin(), allowed.end()})));
    return {};
  }
  return {cores.begin(), cores.end()};
}

}  // namespace

std::vector<std::vector<int>> PlaceCores(std::span<const CoreRequest> requests,
                                         std::span<const int> allowed,
                                         std::span<const int> reserved, Problems* problems) {
  std::vector<std::vector<int>> placed(requests.size());
  std::set<int> taken(reserved.begin(), reserved.end());
  for (size_t i = 0; i < requests.size(); ++i) {
    if (requests[i].allocation.kind == CoreAllocation::Kind::kAllCores) {
      placed[i].assign(allowed.begin(), allowed.end());
    } else if (requests[i].allocation.kind == CoreAllocation::Kind::kCoreSet) {
      placed[i] = PlaceSet(requests[i], allowed, problems);
      taken.insert(placed[i].begin(), placed[i].end());
    }
  }
  for (size_t i = 0; i < requests.size(); ++i) {
    const CoreRequest& request = requests[i];
    if (request.allocation.kind != CoreAllocation::Kind::kCoreCount) {
      continue;
    }
    std::vector<int> free;
    std::copy_if(allowed.begin(), allowed.end(), std::back_inserter(free),
                 [&](int core) { return !taken.contains(core); });
    const auto count = static_cast<size_t>(request.allocation.count);
    if (free.size() < count) {
      problems->Add(request.mark,
                    fmt::format("{}: found count {}, but of {} usable cores {} are free: {}",
                                request.path, count, allowed.size(), free.size(), List(free)));
      continue;
    }
    free.resize(count);
    taken.insert(free.begin(), free.end());
    placed[i] = std::move(free);
  }
  return placed;
}

}  // namespace df::config
