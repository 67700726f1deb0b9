#include "lake/scan/child_group_index.h"

#include <algorithm>

namespace df::lake {

IdRange PossibleParents(const ChildRowGroup& group) {
  switch (group.state) {
    case ChildRowGroup::State::kUnopened: {
      const auto& claimed = group.facts().parent_ids;
      return claimed.has_value() && group.summary->parent_statistics != FileSummary::Trust::kWrong
                 ? *claimed
                 : IdRange{.min = 0, .max = UINT32_MAX};
    }
    case ChildRowGroup::State::kOpen:
    case ChildRowGroup::State::kParked:
      return group.parents;
    case ChildRowGroup::State::kDone:
      break;
  }
  return kEmptyIdRange;
}

void ChildGroupIndex::Build(const std::vector<std::unique_ptr<ChildRowGroup>>& groups) {
  greatest_up_to_.resize(groups.size());
  least_from_.resize(groups.size());
  uint32_t greatest = 0;
  for (size_t i = 0; i < groups.size(); ++i) {
    greatest = std::max(greatest, PossibleParents(*groups[i]).max);
    greatest_up_to_[i] = greatest;
  }
  uint32_t least = UINT32_MAX;
  for (size_t i = groups.size(); i-- > 0;) {
    least = std::min(least, PossibleParents(*groups[i]).min);
    least_from_[i] = least;
  }
}

std::pair<size_t, size_t> ChildGroupIndex::Find(IdRange parents) const {
  const auto first = std::lower_bound(greatest_up_to_.begin(), greatest_up_to_.end(), parents.min) -
                     greatest_up_to_.begin();
  const auto end =
      std::upper_bound(least_from_.begin(), least_from_.end(), parents.max) - least_from_.begin();
  return {static_cast<size_t>(first), static_cast<size_t>(std::max(first, end))};
}

}  // namespace df::lake
