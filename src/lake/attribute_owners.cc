#include "lake/attribute_owners.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace df::lake {
namespace {

/// A batch may hold resources without rows behind those that have some: their attribute rows go on
/// where those end. So many are allowed for.
constexpr uint64_t kMostUnseen = 4;

/// More possible owners than this are not told apart.
constexpr size_t kMostOwners = 32;

/// Keys [first, last] of one claim.
struct Reach {
  uint64_t first = 0;
  uint64_t last = 0;
  int64_t owner = -1;  ///< place among the exact batches; -1 = its offset is not known
};

}  // namespace

AttributeOwners::AttributeOwners(const ParentIdSet* parents, std::vector<AttributeClaim> claims)
    : parents_(parents) {
  std::erase_if(claims, [](const AttributeClaim& c) { return c.nested.min > c.nested.max; });
  CoverParents(MergeBatches(std::move(claims)));
}

/// Stretches of one offset are of one batch.
std::vector<AttributeClaim> AttributeOwners::MergeBatches(std::vector<AttributeClaim> claims) {
  std::sort(claims.begin(), claims.end(), [](const AttributeClaim& a, const AttributeClaim& b) {
    return std::tuple(a.offset, a.group, a.is_certain, a.least_offset) <
           std::tuple(b.offset, b.group, b.is_certain, b.least_offset);
  });
  std::vector<AttributeClaim> merged;
  for (const AttributeClaim& claim : claims) {
    if (!merged.empty() && claim.offset == merged.back().offset &&
        claim.group == merged.back().group && claim.is_certain == merged.back().is_certain &&
        claim.least_offset == merged.back().least_offset) {
      IdRange& nested = merged.back().nested;
      nested = {std::min(nested.min, claim.nested.min), std::max(nested.max, claim.nested.max)};
    } else {
      merged.push_back(claim);
    }
  }
  return merged;
}

void AttributeOwners::CoverParents(const std::vector<AttributeClaim>& claims) {
  std::vector<Reach> reaches;
  for (const AttributeClaim& claim : claims) {
    Reach reach{uint64_t{claim.least_offset} + claim.nested.min,
                uint64_t{claim.offset} + claim.nested.max, -1};
    if (claim.is_certain) {
      reach.owner = static_cast<int64_t>(batches_.size());
      batches_.emplace_back(claim.offset, claim.group);
    }
    for (uint64_t unseen = 0;
         unseen < kMostUnseen && parents_->Has(reach.last) && parents_->Has(reach.last + 1);
         ++unseen) {
      ++reach.last;
    }
    reaches.push_back(reach);
  }
  std::sort(reaches.begin(), reaches.end(),
            [](const Reach& a, const Reach& b) { return a.first < b.first; });
  std::multimap<uint64_t, int64_t> active;  // owners by last key
  size_t next = 0;
  for (const uint32_t parent : parents_->ids()) {
    for (; next < reaches.size() && reaches[next].first <= parent; ++next) {
      active.emplace(reaches[next].last, reaches[next].owner);
    }
    active.erase(active.begin(), active.lower_bound(parent));
    Cover cover{static_cast<uint32_t>(owners_.size()), static_cast<uint32_t>(owners_.size()),
                active.size() > kMostOwners};
    for (auto claim = active.begin(); claim != active.end() && !cover.is_wild; ++claim) {
      cover.is_wild = claim->second < 0;
      if (claim->second >= 0) {
        owners_.push_back(static_cast<uint32_t>(claim->second));
      }
    }
    if (cover.is_wild) {
      owners_.resize(cover.begin);
    }
    std::sort(owners_.begin() + cover.begin, owners_.end());
    cover.end = static_cast<uint32_t>(owners_.size());
    has_contested_ = has_contested_ || cover.is_wild || cover.size() > 1;
    covers_.push_back(cover);
  }
}

bool AttributeOwners::IsContested(uint32_t parent) const {
  if (!has_contested_ || !parents_->Has(parent)) {
    return false;
  }
  const Cover& cover = covers_[parents_->IndexOf(parent)];
  return cover.is_wild || cover.size() > 1;
}

/// The first and the last batch that each run may be of: batches never go back along a file.
/// Returns whether some sequence of batches explains all runs.
bool AttributeOwners::FindBounds(std::span<const ParentRun> runs,
                                 std::vector<Bounds>* bounds) const {
  bounds->assign(runs.size(), {});
  int64_t low = 0;
  for (size_t i = 0; i < runs.size(); ++i) {
    low = runs[i].starts_chain ? 0 : low + (runs[i].starts_batch ? 1 : 0);
    const Cover& cover = covers_[parents_->IndexOf(runs[i].parent)];
    const auto owners = OwnersOf(cover);
    if (owners.empty()) {
      continue;  // of a batch without rows, or without a place: it is somewhere in between
    }
    const auto owner = std::lower_bound(owners.begin(), owners.end(), low);
    if (owner == owners.end()) {
      return false;
    }
    low = (*bounds)[i].low = *owner;
  }
  int64_t high = INT64_MAX;
  for (size_t i = runs.size(); i-- > 0;) {
    const Cover& cover = covers_[parents_->IndexOf(runs[i].parent)];
    const auto owners = OwnersOf(cover);
    if (!owners.empty()) {
      const auto owner = std::upper_bound(owners.begin(), owners.end(), high);
      if (owner == owners.begin()) {
        return false;
      }
      high = (*bounds)[i].high = *(owner - 1);
    }
    high = runs[i].starts_chain ? INT64_MAX : high - (runs[i].starts_batch ? 1 : 0);
  }
  return true;
}

void AttributeOwners::Settle(std::span<const ParentRun> runs) {
  std::vector<Bounds> bounds;
  if (!FindBounds(runs, &bounds)) {
    return;
  }
  is_settled_ = true;
  uint32_t free_id = UINT32_MAX;
  std::map<std::pair<uint32_t, int64_t>, uint32_t> new_parents;
  for (size_t i = 0; i < runs.size(); ++i) {
    const Cover& cover = covers_[parents_->IndexOf(runs[i].parent)];
    if (cover.is_wild || cover.size() < 2) {
      continue;
    }
    Settled settled{runs[i].parent, bounds[i].low, bounds[i].high, 0};
    if (settled.low == settled.high) {
      const auto [entry, is_new] =
          new_parents.emplace(std::pair(settled.parent, settled.low), free_id);
      if (is_new) {
        while (parents_->Has(free_id)) {
          --free_id;
        }
        entry->second = free_id--;
      }
      settled.renumbered = entry->second;
      renumbered_.push_back({i, settled.renumbered});
    }
    settled_.push_back(settled);
  }
  std::stable_sort(settled_.begin(), settled_.end(),
                   [](const Settled& a, const Settled& b) { return a.parent < b.parent; });
}

AttributeOwners::Found AttributeOwners::Find(uint64_t parent, uint32_t offset,
                                             uint32_t group) const {
  if (!has_contested_ || parent > UINT32_MAX || !IsContested(static_cast<uint32_t>(parent))) {
    return {};
  }
  const auto place = std::lower_bound(batches_.begin(), batches_.end(), std::pair(offset, group));
  if (!is_settled_ || place == batches_.end() || *place != std::pair(offset, group) ||
      covers_[parents_->IndexOf(static_cast<uint32_t>(parent))].is_wild) {
    return {Answer::kUnknown, 0};
  }
  const int64_t owner = place - batches_.begin();
  Found found{Answer::kNone, 0};
  for (auto run = std::lower_bound(settled_.begin(), settled_.end(), parent,
                                   [](const Settled& s, uint64_t p) { return s.parent < p; });
       run != settled_.end() && run->parent == parent; ++run) {
    if (run->low == run->high && run->low == owner) {
      found = {Answer::kRenumbered, run->renumbered};
    } else if (run->low <= owner && owner <= run->high) {
      return {Answer::kUnknown, 0};
    }
  }
  return found;
}

}  // namespace df::lake
