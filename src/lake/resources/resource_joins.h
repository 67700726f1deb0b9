// How every root row of a partition joins its resource and scope attributes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "lake/resources/attribute_owners.h"
#include "lake/resources/resource_resolver.h"

namespace df::lake {

enum class AttributeKind : uint8_t { kResource, kScope };

/// Puts the batches that the root rows tell of together with the attribute rows.
class ResourceJoins {
 public:
  /// The sets of the input are borrowed. Errors: what reading returns.
  static Result<ResourceJoins> Make(const ResolverInput& input);

  const std::vector<ResourceStretch>& stretches(size_t signal, size_t file) const {
    return stretches_[signal][file];
  }

  /// Tells whether the attributes that a nested id of a row in a stretch means are known: then they
  /// are the rows with parent_id = offset + nested id, or none where there are no such rows.
  bool IsKnown(AttributeKind kind, const ResourceStretch& stretch, uint32_t nested_id) const;

 private:
  void FindOwners();
  bool IsPinned(const ResourceStretch& stretch) const;
  bool UnpinStretches(bool all);

  std::array<const ParentIdSet*, 2> parents_{};
  std::array<const ParentIdSet*, 2> several_{};  ///< of them, as in the input
  ResolvedStretches stretches_;
  std::array<AttributeOwners, 2> owners_;
};

}  // namespace df::lake
