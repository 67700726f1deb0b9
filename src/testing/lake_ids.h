// The id generator of a lake writer.
#pragma once

#include <map>

#include "otap/batch.h"
#include "testing/cell.h"
#include "testing/lake_writer.h"
#include "testing/random_value.h"

namespace df::testing {

using CellTables = std::map<otap::TableKind, CellTable>;

/// Moves the ids of one batch after the other to a range of their own. One per partition.
class LakeIds {
 public:
  LakeIds(const LakeWriterOptions& options, RandomEngine& rng)
      : options_(options), rng_(rng), next_(options.first_id) {}

  /// Rewrites all ids and parent ids of a batch and moves the generator on.
  /// Errors: Invalid when an id passes UInt32.
  arrow::Status Shift(otap::Signal signal, CellTables& tables);

  /// Returns an id that no row of the partition has so far.
  uint64_t Unused() const { return next_ + 1'000; }

 private:
  using IdMap = std::map<uint64_t, uint64_t>;

  IdMap Spread(const std::vector<Cell>& ids);

  const LakeWriterOptions& options_;
  RandomEngine& rng_;
  uint64_t next_;
};

/// Gives `count` rows of the root table the id of an earlier row; returns how many were possible.
int64_t RepeatRootIds(CellTable& root, int count, RandomEngine& rng);

/// Inserts copies of random rows whose parent is `unused`, `unused` + 1, ...
void InsertOrphans(CellTable& table, int count, uint64_t unused, RandomEngine& rng);

}  // namespace df::testing
