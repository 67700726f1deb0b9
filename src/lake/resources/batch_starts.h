// Which batches a segment of root rows may hold, by the attribute rows that stand in reach of it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "lake/resources/root_segments.h"
#include "lake/scan/parent_id_set.h"

namespace df::lake {

/// A batch may hold resources and scopes without rows behind those that have some. So many are
/// allowed for before an attribute row counts as that of another batch (docs/decisions/0007).
inline constexpr uint64_t kMostUnseen = 4;

/// Largest nested id of a range; -1 when it is empty.
int64_t LargestOf(const IdRange& nested);

/// One attribute table as the segments of all signals see it.
class AttributeTable {
 public:
  AttributeTable(const ParentIdSet* parents, IdRange RootSegment::* nested);

  const ParentIdSet& parents() const { return *parents_; }
  const IdRange& NestedOf(const RootSegment& segment) const { return segment.*nested_; }

  /// Counts a segment among the possible owners of what batches of it may refer to.
  void AddReach(const RootSegment& segment, uint64_t least_offset, uint64_t largest_offset);
  /// Counts the parents that a segment explains among its own ids.
  void AddOwn(const RootSegment& segment);
  /// Ends the counting; what follows may be asked from then on.
  void EndReaches();

  /// Some segment explains the parent among its own ids.
  bool IsReached(uint32_t parent) const { return owned_[parents_->IndexOf(parent)] > 0; }
  /// No two segments may own the parent.
  bool IsExclusive(uint32_t parent) const { return steps_[parents_->IndexOf(parent)] <= 1; }
  bool HasExclusive(uint64_t parent) const {
    return parents_->Has(parent) && IsExclusive(static_cast<uint32_t>(parent));
  }

 private:
  const ParentIdSet* parents_;
  IdRange RootSegment::* nested_;
  std::vector<int32_t> steps_;  ///< segments that may reach a parent, by its place
  std::vector<int32_t> owned_;
};

/// Those of resources and of scopes.
using AttributeTables = std::array<AttributeTable, 2>;

/// A batch start inside a segment, known by its id only.
struct HiddenStart {
  uint32_t row_id = 0;  ///< of the first row of the batch
  uint32_t offset = 0;
  bool is_certain = true;
};

/// Returns the starts that may follow the one at the segment's first id, ascending. Certain ones
/// are proved; the rows from an uncertain one on may be of it or of any batch before it, back to
/// the last certain one.
std::vector<HiddenStart> FindHiddenStarts(const RootSegment& segment,
                                          const AttributeTables& tables);

/// The first rows of a batch may have been removed. Its offset is then smaller than its first id
/// that is left. Returns the smallest and the largest offset that the attribute rows allow; an
/// empty range when they allow none. `is_whole`: the rows of the largest nested ids are of it too.
IdRange FindEarlierOffsets(const RootSegment& segment, const AttributeTables& tables,
                           bool is_whole);

}  // namespace df::lake
