// Sets of ids kept as ranges: small whatever the number of rows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lake/format/table_file.h"

namespace df::lake {

/// A union of ranges. Cost: O(log n) a question once it is sorted.
class IdRanges {
 public:
  /// Adds a range; an empty one (min > max) adds nothing.
  void Add(IdRange range);
  void AddEverything() { Add({0, UINT32_MAX}); }
  bool empty() const { return ranges_.empty(); }
  bool Overlaps(IdRange range) const;

 private:
  void Normalise() const;

  mutable std::vector<IdRange> ranges_;  ///< ascending and apart once normalised
  mutable bool is_normal_ = true;
};

/// Ids in the order in which rows have them, as runs of neighbours with the number of their rows.
/// Past kMaxRuns the last run swallows what comes, ids between included.
class IdRuns {
 public:
  struct Run {
    IdRange ids;
    int64_t num_rows = 0;
  };
  static constexpr size_t kMaxRuns = 1024;

  void Add(uint32_t id);
  const std::vector<Run>& runs() const { return runs_; }

 private:
  std::vector<Run> runs_;
};

/// Makes a range reach an id.
void Extend(IdRange* range, uint32_t id);
void Extend(IdRange* range, IdRange other);

/// Writes "id 7" or "ids 7 to 9", for messages.
std::string ToText(IdRange range);

}  // namespace df::lake
