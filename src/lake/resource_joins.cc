#include "lake/resource_joins.h"

#include <utility>

namespace df::lake {
namespace {

/// Each round makes at least one more offset uncertain; past so many, all are that lean on others.
constexpr int kMostRounds = 8;

const IdRange& NestedOf(AttributeKind kind, const ResourceStretch& stretch) {
  return kind == AttributeKind::kResource ? stretch.resources : stretch.scopes;
}

constexpr std::array kKinds = {AttributeKind::kResource, AttributeKind::kScope};

}  // namespace

Result<ResourceJoins> ResourceJoins::Make(const ResolverInput& input, const ReadRuns& read_runs) {
  ResourceJoins joins;
  joins.parents_ = {input.resources, input.scopes};
  ARROW_ASSIGN_OR_RAISE(joins.stretches_, ResolveResources(input));
  Runs runs;
  ARROW_RETURN_NOT_OK(joins.FindOwners(read_runs, &runs));
  for (int round = 0; joins.UnpinStretches(round >= kMostRounds); ++round) {
    ARROW_RETURN_NOT_OK(joins.FindOwners(read_runs, &runs));
  }
  return joins;
}

Status ResourceJoins::FindOwners(const ReadRuns& read_runs, Runs* runs) {
  for (const AttributeKind kind : kKinds) {
    const auto index = static_cast<size_t>(kind);
    std::vector<AttributeClaim> claims;
    for (size_t signal = 0; signal < stretches_.size(); ++signal) {
      for (const auto& file : stretches_[signal]) {
        for (const ResourceStretch& stretch : file) {
          claims.push_back({.group = static_cast<uint32_t>(signal),
                            .offset = stretch.offset,
                            .least_offset = stretch.least_offset,
                            .is_certain = stretch.is_certain(),
                            .nested = NestedOf(kind, stretch)});
          IdRange& nested = claims.back().nested;
          if (stretch.is_certain() && nested.min <= nested.max) {
            nested.min = 0;  // resources whose rows are gone had attributes too
          }
        }
      }
    }
    owners_[index] = AttributeOwners(parents_[index], std::move(claims));
    if (owners_[index].has_contested()) {
      if ((*runs)[index].empty()) {
        ARROW_ASSIGN_OR_RAISE((*runs)[index], read_runs(kind));
      }
      owners_[index].Settle((*runs)[index]);
    }
  }
  return Status::OK();
}

/// The rows of the largest nested id that has attributes are this batch's and nobody else's.
bool ResourceJoins::IsPinned(const ResourceStretch& stretch, size_t signal) const {
  for (const AttributeKind kind : kKinds) {
    const IdRange& nested = NestedOf(kind, stretch);
    const uint64_t parent = uint64_t{stretch.offset} + nested.max;
    if (nested.min > nested.max || !parents_[static_cast<size_t>(kind)]->Has(parent)) {
      continue;
    }
    const auto answer =
        owners(kind).Find(parent, stretch.offset, static_cast<uint32_t>(signal)).answer;
    if (answer == AttributeOwners::Answer::kAsStored ||
        answer == AttributeOwners::Answer::kRenumbered) {
      return true;
    }
  }
  return false;
}

bool ResourceJoins::UnpinStretches(bool all) {
  bool has_changed = false;
  for (size_t signal = 0; signal < stretches_.size(); ++signal) {
    for (auto& file : stretches_[signal]) {
      for (ResourceStretch& stretch : file) {
        if (stretch.unpinned_offset.has_value() && (all || !IsPinned(stretch, signal))) {
          stretch.least_offset = *stretch.unpinned_offset;
          stretch.unpinned_offset.reset();
          has_changed = true;
        }
      }
    }
  }
  return has_changed;
}

AttributeOwners::Found ResourceJoins::Find(AttributeKind kind, const ResourceStretch& stretch,
                                           size_t signal, uint32_t nested_id) const {
  using Answer = AttributeOwners::Answer;
  const ParentIdSet& parents = *parents_[static_cast<size_t>(kind)];
  if (stretch.is_certain()) {
    return owners(kind).Find(uint64_t{stretch.offset} + nested_id, stretch.offset,
                             static_cast<uint32_t>(signal));
  }
  const bool has_any = parents.HasAnyIn(uint64_t{stretch.least_offset} + nested_id,
                                        uint64_t{stretch.offset} + nested_id) ||
                       (stretch.other_offset.has_value() &&
                        parents.Has(uint64_t{*stretch.other_offset} + nested_id));
  return {has_any ? Answer::kUnknown : Answer::kNone, 0};
}

}  // namespace df::lake
