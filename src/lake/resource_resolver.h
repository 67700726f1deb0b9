// Which resource and scope attributes belong to a root row of an upstream file.
//
// Upstream exporters add a running offset to every top-level id of a batch and to the parent_id of
// its resource and scope attributes, but not to resource.id and scope.id of its root rows, and
// store the offset nowhere (format reference 3.6). The attributes of a row are those with parent_id
// = offset + resource.id, and the offset of a batch is its first id that is not null. So the task
// is to find where each exported batch starts, and to know when that cannot be told.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "lake/table_file.h"

namespace df::lake {

/// Root rows [first_row, next stretch's first_row) of a file, and how their resource and scope ids
/// join.
struct ResourceStretch {
  int64_t first_row = 0;  ///< in the file, over all row groups
  uint32_t offset = 0;    ///< parent_id = offset + nested id
  bool is_ambiguous =
      false;  ///< the offset cannot be told: the rows go out without these attributes
};

/// Distinct parent ids of an attribute table of one partition, ascending.
class ParentIdSet {
 public:
  ParentIdSet() = default;
  explicit ParentIdSet(std::vector<uint32_t> ids);
  bool empty() const { return ids_.empty(); }
  uint32_t max() const { return ids_.back(); }
  bool HasAnyIn(uint64_t first, uint64_t last) const { return !In(first, last).empty(); }
  /// Returns the ids in [first, last].
  std::span<const uint32_t> In(uint64_t first, uint64_t last) const;

 private:
  std::vector<uint32_t> ids_;
};

/// Id columns of consecutive root rows.
struct RootIds {
  IdColumn ids;
  IdColumn resource_ids;
  IdColumn scope_ids;
  int64_t num_rows() const { return static_cast<int64_t>(ids.values.size()); }
};

/// What is known around a file.
struct ResolverContext {
  const ParentIdSet* resources = nullptr;
  const ParentIdSet* scopes = nullptr;
  std::optional<uint32_t>
      previous_last_id;  ///< largest id of the files before it; nothing for the first
  std::optional<uint32_t>
      next_first_id;                 ///< smallest id of the files behind it; nothing for the last
  bool is_only_signal = false;       ///< no other root table shares the ids of the partition
  bool file_starts_batch = true;     ///< a batch never crosses files of this writer
  bool is_evidence_complete = true;  ///< every attribute file could be read
  /// Tells whether a root row of another signal may have an id.
  std::function<bool(uint32_t)> may_be_other_signal = [](uint32_t) { return false; };
};

/// Finds the exported batches of one file.
/// `read(row_group)` returns the ids of a row group; it is called in order, and a second time only
/// when a batch start has to be located. Returns: stretches in row order, the first at row 0.
/// Errors: what `read` returns. Cost: O(rows), memory O(stretches). Source: format reference 4.4.
Result<std::vector<ResourceStretch>> ResolveResources(
    int num_row_groups, const std::function<Result<RootIds>(int)>& read,
    const ResolverContext& context);

}  // namespace df::lake
