// How every root row of a partition joins its resource and scope attributes.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "lake/attribute_owners.h"
#include "lake/resource_resolver.h"

namespace df::lake {

enum class AttributeKind : uint8_t { kResource, kScope };

/// Puts the batches that the root rows tell of together with the attribute rows.
class ResourceJoins {
 public:
  /// Reads the runs of an attribute table in file order; asked only where batches overlap.
  using ReadRuns = std::function<Result<std::vector<ParentRun>>(AttributeKind)>;

  /// `input.resources` and `input.scopes` are borrowed. Errors: what reading returns.
  static Result<ResourceJoins> Make(const ResolverInput& input, const ReadRuns& read_runs);

  const std::vector<ResourceStretch>& stretches(size_t signal, size_t file) const {
    return stretches_[signal][file];
  }
  const AttributeOwners& owners(AttributeKind kind) const {
    return owners_[static_cast<size_t>(kind)];
  }

  /// Says which attribute rows a nested id of a row in a stretch means.
  AttributeOwners::Found Find(AttributeKind kind, const ResourceStretch& stretch, size_t signal,
                              uint32_t nested_id) const;

 private:
  using Runs = std::array<std::vector<ParentRun>, 2>;
  Status FindOwners(const ReadRuns& read_runs, Runs* runs);
  bool IsPinned(const ResourceStretch& stretch, size_t signal) const;
  bool UnpinStretches(bool all);

  std::array<const ParentIdSet*, 2> parents_{};
  ResolvedStretches stretches_;
  std::array<AttributeOwners, 2> owners_;
};

}  // namespace df::lake
