#include "otlp/child_index.h"

#include <algorithm>
#include <numeric>

namespace df::otlp {

ChildIndex ChildIndex::FromParents(std::vector<uint32_t> parents) {
  ChildIndex index;
  uint32_t num_parents = 0;
  bool is_ascending = true;
  uint32_t previous = 0;
  for (const uint32_t parent : parents) {
    is_ascending = is_ascending && parent >= previous;
    previous = parent;
    if (parent != kNoParent) {
      num_parents = std::max(num_parents, parent + 1);
    }
  }
  // Counting takes 4 bytes for each possible parent: cheap unless the ids are far apart.
  constexpr uint64_t kMaxGap = 8;
  constexpr uint64_t kAlwaysDense = 65'536;
  if (num_parents <= kAlwaysDense + parents.size() * kMaxGap) {
    index.BuildDense(parents, num_parents, is_ascending);
  } else {
    index.BuildSparse(std::move(parents), is_ascending);
  }
  return index;
}

void ChildIndex::BuildDense(const std::vector<uint32_t>& parents, uint32_t num_parents,
                            bool is_ascending) {
  num_parents_ = num_parents;
  starts_.assign(static_cast<size_t>(num_parents) + 1, 0);
  for (const uint32_t parent : parents) {
    if (parent != kNoParent) {
      ++starts_[parent + 1];
    }
  }
  std::partial_sum(starts_.begin(), starts_.end(), starts_.begin());
  if (is_ascending) {
    return;
  }
  order_.resize(parents.size());
  std::vector<uint32_t> next(starts_.begin(), starts_.end() - 1);
  for (size_t row = 0; row < parents.size(); ++row) {
    if (parents[row] != kNoParent) {
      order_[next[parents[row]]++] = static_cast<uint32_t>(row);
    }
  }
}

void ChildIndex::BuildSparse(std::vector<uint32_t> parents, bool is_ascending) {
  is_sparse_ = true;
  if (!is_ascending) {
    order_.resize(parents.size());
    std::iota(order_.begin(), order_.end(), 0U);
    std::stable_sort(order_.begin(), order_.end(),
                     [&](uint32_t a, uint32_t b) { return parents[a] < parents[b]; });
    std::sort(parents.begin(), parents.end());
  }
  parents_ = std::move(parents);
}

ChildIndex::Rows ChildIndex::FindSparse(uint32_t parent) const {
  if (parent == kNoParent) {
    return {nullptr, 0, 0};
  }
  const auto [begin, end] = std::equal_range(parents_.begin(), parents_.end(), parent);
  return {order(), static_cast<uint32_t>(begin - parents_.begin()),
          static_cast<uint32_t>(end - parents_.begin())};
}

}  // namespace df::otlp
