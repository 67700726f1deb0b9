// Whose attribute rows are whose where the ids of exported batches overlap.
//
// A batch with more resources than ids numbers their attribute rows past its own ids, into those of
// the batches behind it, whatever their signal: one parent_id then has several possible owners, and
// belongs to nobody, by name (docs/decisions/0007).
#pragma once

#include <cstdint>
#include <vector>

#include "lake/format/table_file.h"
#include "lake/scan/parent_id_set.h"

namespace df::lake {

/// Ids of attributes that the root rows of one exported batch may refer to.
struct AttributeClaim {
  uint32_t group = 0;         ///< its signal: two of one offset are two batches
  uint32_t offset = 0;        ///< largest possible offset of the batch
  uint32_t least_offset = 0;  ///< smallest
  bool is_certain = true;     ///< its batch has this offset, and no other
  IdRange nested = kEmptyIdRange;
  uint64_t last_unseen = 0;  ///< the last parent of what has no rows
};

class AttributeOwners {
 public:
  AttributeOwners() = default;
  /// Finds the parents with several possible owners. `parents` is borrowed; `several` are those of
  /// more than one attribute row, null where that is not known. A single row is of one batch: of
  /// the one with records of its resource or scope, not of one that may have had some without.
  /// Cost: a sort of the claims, and O(1) per parent and claim.
  AttributeOwners(const ParentIdSet* parents, const ParentIdSet* several,
                  std::vector<AttributeClaim> claims);

  /// Tells whether the attribute rows of a parent may be of more than one batch.
  bool IsContested(uint64_t parent) const;

 private:
  const ParentIdSet* parents_ = nullptr;
  std::vector<uint32_t> contested_;  ///< ascending
};

}  // namespace df::lake
