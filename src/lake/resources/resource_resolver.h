// Which resource and scope attributes belong to the root rows of upstream files.
//
// Upstream exporters add a running offset to every top-level id of a batch and to the parent_id of
// its resource and scope attributes, but not to resource.id and scope.id of its root rows, and
// store the offset nowhere (format reference 3.6). The attributes of a row are those with parent_id
// = offset + resource.id, and the offset of a batch is its first id that is not null. So the task
// is to find where each exported batch starts, and to know when that cannot be told
// (docs/decisions/0007 says what counts as proof).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "lake/format/id_ranges.h"
#include "lake/format/table_file.h"
#include "lake/scan/parent_id_set.h"

namespace df::lake {

enum class StretchJoin : uint8_t {
  kInferred,
  kAsStored,  ///< nested ids are parent ids as they stand: the file's key says so
  kProved,    ///< the same, because the data leave no other reading
  kUnknown,   ///< nothing is joined
};

/// Root rows [first_row, next stretch's first_row) of a file, and how their resource and scope ids
/// join.
struct ResourceStretch {
  StretchJoin join = StretchJoin::kInferred;
  int64_t first_row = 0;      ///< in the file, over all row groups
  uint32_t offset = 0;        ///< parent_id = offset + nested id; the largest that is possible
  uint32_t least_offset = 0;  ///< the smallest; equal to offset when it is certain
  /// The rows may also be of the batch in front of them, which has this offset.
  std::optional<uint32_t> other_offset;
  /// The offset is certain only because the attribute rows of the largest resource or scope are
  /// this batch's. If they are not, this is the smallest possible one.
  std::optional<uint32_t> unpinned_offset;
  IdRange resources = kEmptyIdRange;  ///< nested ids of its rows
  IdRange scopes = kEmptyIdRange;
  uint32_t last_id = 0;     ///< largest id that its rows may have
  bool is_between = false;  ///< its rows are of the stretch in front of it or of the one behind it

  bool is_certain() const { return offset == least_offset && !other_offset.has_value(); }
};

/// Id columns of consecutive root rows.
struct RootIds {
  IdColumn ids;
  IdColumn resource_ids;
  IdColumn scope_ids;
  int64_t num_rows() const { return static_cast<int64_t>(ids.values.size()); }
};

/// A root file, by row group. `read` is called in order, and a second time only when a batch start
/// has to be located.
struct RootFileSource {
  int num_row_groups = 0;
  bool starts_batch = true;  ///< a batch never crosses files of this writer
  std::function<Result<RootIds>(int)> read;
};

/// What is known of a partition.
struct ResolverInput {
  const ParentIdSet* resources = nullptr;
  const ParentIdSet* scopes = nullptr;
  /// Those of them that more than one attribute row has; null where that is not known.
  const ParentIdSet* several_resources = nullptr;
  const ParentIdSet* several_scopes = nullptr;
  bool is_evidence_complete = true;  ///< every attribute file could be read
  /// The ids between the first and the last parent of each file of resource attributes. Attributes
  /// of other ids may stand in a file that is missing.
  IdRanges resource_files;
  bool is_only_signal = false;  ///< no other root table has rows in the partition
  /// By signal, its files in the order of their ids.
  std::vector<std::vector<RootFileSource>> signals;
};

/// Stretches by signal and file, in row order, the first at row 0; no stretch for a file without
/// rows.
using ResolvedStretches = std::vector<std::vector<std::vector<ResourceStretch>>>;

/// Finds the exported batches of a partition.
/// Errors: what `read` returns. Cost: O(rows), memory O(stretches).
Result<ResolvedStretches> ResolveResources(const ResolverInput& input);

}  // namespace df::lake
