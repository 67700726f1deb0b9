#include "lake/scan/parent_id_set.h"

#include <algorithm>
#include <utility>

namespace df::lake {

ParentIdSet::ParentIdSet(std::vector<uint32_t> ids) : ids_(std::move(ids)) {
  std::sort(ids_.begin(), ids_.end());
  ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
  ids_.shrink_to_fit();
}

std::span<const uint32_t> ParentIdSet::In(uint64_t first, uint64_t last) const {
  if (first > last || first > UINT32_MAX) {
    return {};
  }
  const auto begin = std::lower_bound(ids_.begin(), ids_.end(), static_cast<uint32_t>(first));
  const auto end = std::upper_bound(begin, ids_.end(),
                                    static_cast<uint32_t>(std::min<uint64_t>(last, UINT32_MAX)));
  return {begin, end};
}

size_t ParentIdSet::IndexOf(uint32_t id) const {
  return static_cast<size_t>(std::lower_bound(ids_.begin(), ids_.end(), id) - ids_.begin());
}

}  // namespace df::lake
