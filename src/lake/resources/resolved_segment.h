// Where the batches of a segment of root rows start, and the stretches that come of it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "lake/resources/batch_starts.h"
#include "lake/resources/resource_resolver.h"
#include "lake/resources/root_segments.h"

namespace df::lake {

/// What a segment turned into.
struct ResolvedSegment {
  uint32_t offset = 0;
  uint32_t least_offset = 0;
  std::optional<uint32_t> other_offset;
  std::optional<uint32_t> unpinned_offset;
  /// Its rows in front of the first id may be of another batch, with such an offset.
  IdRange bare_head = kEmptyIdRange;
  /// The same of its rows behind the last id.
  IdRange bare_tail = kEmptyIdRange;
  std::vector<HiddenStart> hidden;
  bool continues = false;  ///< its first rows are of the batch in front of it
  bool is_certain() const { return offset == least_offset && !other_offset.has_value(); }
};

/// Where a hidden start stands: the row of its id, and the row behind the id before it. Rows
/// between the two have no id and may belong to either batch.
struct HiddenPlace {
  int64_t row = -1;
  int64_t after_previous = -1;
};

/// Finds the rows of the ids that `wanted` has. Errors: what reading returns.
Status Locate(const RootFileSource& file, std::map<uint32_t, HiddenPlace>* wanted);

/// Cuts a segment into stretches at its hidden starts.
void AppendStretches(const RootSegment& segment, const ResolvedSegment& resolved,
                     const std::map<uint32_t, HiddenPlace>& places,
                     std::vector<ResourceStretch>* stretches);

}  // namespace df::lake
