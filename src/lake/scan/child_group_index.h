// Which row groups of a child table may hold rows of a payload, found without looking at each.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "lake/scan/child_row_group.h"

namespace df::lake {

/// What parents the rows of a row group may have, as far as is known: a hint where nothing but its
/// statistics is, every id where these are missing or known to be wrong. kEmptyIdRange when all of
/// its rows are counted.
IdRange PossibleParents(const ChildRowGroup& group);

/// Gives the stretch of row groups, in file order, beyond which none can hold a parent.
/// Cost: logarithmic a call; where row groups follow the order of parents the stretch holds hardly
/// any other than those that are wanted.
class ChildGroupIndex {
 public:
  /// Looks at every row group. To be called again when one may hold more than it might before.
  void Build(const std::vector<std::unique_ptr<ChildRowGroup>>& groups);

  /// Returns the first row group and the one behind the last that may hold a parent of the range.
  std::pair<size_t, size_t> Find(IdRange parents) const;

 private:
  std::vector<uint32_t> greatest_up_to_;  ///< over the groups up to this one
  std::vector<uint32_t> least_from_;      ///< over the groups from this one on
};

}  // namespace df::lake
