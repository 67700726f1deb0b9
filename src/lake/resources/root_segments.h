// Cuts the root rows of a signal where an exported batch may have started.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "lake/resources/resource_resolver.h"

namespace df::lake {

/// Why a segment starts. With the first two a batch starts there for certain.
enum class StartReason : uint8_t {
  kFile,       ///< the first rows of a file that holds whole batches, or of the signal
  kNestedIds,  ///< resource.id counts backwards, or scope.id below the same resource
  kFileBorder,
  kIdJump,  ///< an id is not the successor of the one before
  kNulls,   ///< resource.id or scope.id is null behind rows that have one
  kScope,   ///< scope.id counts backwards where the resource is another one
};

/// Nested ids of a row; -1 = null.
struct NestedRow {
  int64_t resource = -1;
  int64_t scope = -1;
};

/// Rows between two possible starts.
struct RootSegment {
  size_t file = 0;
  int64_t first_row = 0;       ///< in the file
  int64_t after_previous = 0;  ///< rows from here on have no id, and may be of it too
  StartReason reason = StartReason::kFile;
  std::optional<uint32_t> first_id;
  uint32_t last_id = 0;
  int64_t first_id_row = 0;                ///< the row of first_id
  IdRange head_resources = kEmptyIdRange;  ///< nested ids of the rows in front of it
  IdRange head_scopes = kEmptyIdRange;
  int64_t tail_row = 0;                    ///< the row behind that of last_id
  IdRange tail_resources = kEmptyIdRange;  ///< nested ids of the rows from there on: none has an id
  IdRange tail_scopes = kEmptyIdRange;
  bool has_tail = false;                   ///< there are such rows
  IdRange body_resources = kEmptyIdRange;  ///< nested ids of the rows up to that of last_id
  IdRange body_scopes = kEmptyIdRange;
  bool has_rising_ids = true;  ///< over the segment, and past the ids before it
  /// The nested ids of the rows in front of its start are null: it may start earlier.
  bool is_doubtful = false;
  NestedRow first;                ///< the first that is not null
  bool starts_with_null = false;  ///< resource.id of the first row is null
  IdRange resources = kEmptyIdRange;
  IdRange scopes = kEmptyIdRange;
  bool is_single_group = true;
  /// A batch that starts unseen starts no later than with this id: the last one while the nested
  /// ids are those of the first row, or the one behind it, which rows without id may precede.
  uint32_t lead_limit_id = 0;
  uint64_t behind_previous = 0;  ///< past the last id of the same signal in front of it
  uint64_t least_offset = 0;     ///< past the ids of all batches in front, of any signal
  bool starts_at_zero() const { return first.resource <= 0 && first.scope <= 0; }
  bool is_certain_start() const {
    return reason == StartReason::kFile || reason == StartReason::kNestedIds;
  }
};

/// Sets least_offset: no two batches of a partition share ids. `signals`: the segments of each.
void BoundOffsets(std::vector<std::vector<RootSegment>>* signals);

/// Returns the segments of one signal in row order, file after file. Errors: what reading returns.
Result<std::vector<RootSegment>> CutRoots(const std::vector<RootFileSource>& files);

}  // namespace df::lake
