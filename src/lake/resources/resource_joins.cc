#include "lake/resources/resource_joins.h"

#include <algorithm>
#include <utility>

#include "lake/resources/batch_starts.h"

namespace df::lake {
namespace {

/// Each round makes at least one more offset uncertain; past so many, all are that lean on others.
constexpr int kMostRounds = 8;

constexpr std::array kKinds = {AttributeKind::kResource, AttributeKind::kScope};

const IdRange& NestedOf(AttributeKind kind, const ResourceStretch& stretch) {
  return kind == AttributeKind::kResource ? stretch.resources : stretch.scopes;
}

}  // namespace

Result<ResourceJoins> ResourceJoins::Make(const ResolverInput& input) {
  ResourceJoins joins;
  joins.parents_ = {input.resources, input.scopes};
  joins.several_ = {input.several_resources, input.several_scopes};
  ARROW_ASSIGN_OR_RAISE(joins.stretches_, ResolveResources(input));
  joins.FindOwners();
  for (int round = 0; joins.UnpinStretches(round >= kMostRounds); ++round) {
    joins.FindOwners();
  }
  return joins;
}

void ResourceJoins::FindOwners() {
  for (const AttributeKind kind : kKinds) {
    const auto index = static_cast<size_t>(kind);
    std::vector<AttributeClaim> claims;
    for (size_t signal = 0; signal < stretches_.size(); ++signal) {
      for (const auto& file : stretches_[signal]) {
        for (const ResourceStretch& stretch : file) {
          if (stretch.is_between) {
            continue;
          }
          const uint32_t other = stretch.other_offset.value_or(stretch.offset);
          claims.push_back({.group = static_cast<uint32_t>(signal),
                            .offset = std::max(stretch.offset, other),
                            .least_offset = std::min(stretch.least_offset, other),
                            .is_certain = stretch.is_certain(),
                            .nested = NestedOf(kind, stretch)});
          // What has no rows, or none any more, had attributes too, among the batch's own ids.
          AttributeClaim& claim = claims.back();
          const uint64_t largest =
              claim.nested.min <= claim.nested.max ? uint64_t{claim.nested.max} + 1 : 0;
          claim.last_unseen = stretch.last_id;
          if (kind == AttributeKind::kResource) {
            claim.last_unseen =
                std::min(claim.last_unseen, uint64_t{claim.offset} + largest + kMostUnseen - 1);
          }
          claim.nested = {0, static_cast<uint32_t>(std::max<uint64_t>(largest, 1) - 1)};
        }
      }
    }
    owners_[index] = AttributeOwners(parents_[index], several_[index], std::move(claims));
  }
}

/// The rows of the largest nested id have attributes that are this batch's and nobody else's.
bool ResourceJoins::IsPinned(const ResourceStretch& stretch) const {
  for (const AttributeKind kind : kKinds) {
    const auto index = static_cast<size_t>(kind);
    const IdRange& nested = NestedOf(kind, stretch);
    const uint64_t parent = uint64_t{stretch.offset} + nested.max;
    if (nested.min <= nested.max && parents_[index]->Has(parent) &&
        !owners_[index].IsContested(parent)) {
      return true;
    }
  }
  return false;
}

bool ResourceJoins::UnpinStretches(bool all) {
  bool has_changed = false;
  for (auto& files : stretches_) {
    for (auto& file : files) {
      for (ResourceStretch& stretch : file) {
        if (stretch.unpinned_offset.has_value() && (all || !IsPinned(stretch))) {
          stretch.least_offset = *stretch.unpinned_offset;
          stretch.unpinned_offset.reset();
          has_changed = true;
        }
      }
    }
  }
  return has_changed;
}

bool ResourceJoins::IsKnown(AttributeKind kind, const ResourceStretch& stretch,
                            uint32_t nested_id) const {
  const auto index = static_cast<size_t>(kind);
  const ParentIdSet& parents = *parents_[index];
  if (stretch.is_certain()) {
    return !owners_[index].IsContested(uint64_t{stretch.offset} + nested_id);
  }
  // Where none of the possible offsets leads to attribute rows, there are none.
  return !parents.HasAnyIn(uint64_t{stretch.least_offset} + nested_id,
                           uint64_t{stretch.offset} + nested_id) &&
         !(stretch.other_offset.has_value() &&
           parents.Has(uint64_t{*stretch.other_offset} + nested_id));
}

}  // namespace df::lake
