#include "lake/resources/attribute_owners.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "lake/resources/batch_starts.h"

namespace df::lake {
namespace {

/// Stretches of one signal and offset are of one batch.
std::vector<AttributeClaim> MergeBatches(std::vector<AttributeClaim> claims) {
  std::erase_if(claims, [](const AttributeClaim& c) { return c.nested.min > c.nested.max; });
  auto key = [](const AttributeClaim& c) {
    return std::tuple(c.offset, c.group, c.is_certain, c.least_offset);
  };
  std::sort(claims.begin(), claims.end(),
            [&](const AttributeClaim& a, const AttributeClaim& b) { return key(a) < key(b); });
  std::vector<AttributeClaim> merged;
  for (const AttributeClaim& claim : claims) {
    if (!merged.empty() && key(claim) == key(merged.back())) {
      IdRange& nested = merged.back().nested;
      nested = {std::min(nested.min, claim.nested.min), std::max(nested.max, claim.nested.max)};
      merged.back().last_unseen = std::max(merged.back().last_unseen, claim.last_unseen);
    } else {
      merged.push_back(claim);
    }
  }
  return merged;
}

}  // namespace

AttributeOwners::AttributeOwners(const ParentIdSet* parents, const ParentIdSet* several,
                                 std::vector<AttributeClaim> claims)
    : parents_(parents) {
  // By place in the parents: claims that begin there, less those that have ended. One that cannot
  // be placed counts twice.
  std::vector<int64_t> owners(parents->ids().size() + 1, 0);
  for (const AttributeClaim& claim : MergeBatches(std::move(claims))) {
    const uint64_t first = uint64_t{claim.least_offset} + claim.nested.min;
    uint64_t last = uint64_t{claim.offset} + claim.nested.max;
    const uint64_t last_seen = last;
    for (uint64_t id = last_seen; id < last_seen + kMostUnseen && parents->Has(id); ++id) {
      last = several == nullptr || several->Has(id + 1) ? id + 1 : last;
    }
    last = std::max(last, claim.last_unseen);
    const auto claimed = parents->In(first, last);
    if (!claimed.empty()) {
      const auto begin = static_cast<size_t>(claimed.data() - parents->ids().data());
      const int weight = claim.is_certain ? 1 : 2;
      owners[begin] += weight;
      owners[begin + claimed.size()] -= weight;
    }
  }
  int64_t count = 0;
  for (size_t i = 0; i < parents->ids().size(); ++i) {
    count += owners[i];
    if (count > 1) {
      contested_.push_back(parents->ids()[i]);
    }
  }
}

bool AttributeOwners::IsContested(uint64_t parent) const {
  return std::binary_search(contested_.begin(), contested_.end(), parent);
}

}  // namespace df::lake
