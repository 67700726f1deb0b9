// The id generator of a lake writer.
#pragma once

#include <map>
#include <optional>

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

  /// Returns the i-th of some ids that no row of the partition has: past the last one and, for
  /// odd i where the steps leave room, between those of one batch.
  uint64_t Unused(otap::TableKind child, int i) const;

 private:
  using IdMap = std::map<uint64_t, uint64_t>;

  IdMap Spread(const std::vector<Cell>& ids);

  const LakeWriterOptions& options_;
  RandomEngine& rng_;
  uint64_t next_;
  std::optional<uint64_t> hole_;
};

/// Gives `count` rows of the root table the id of an earlier row; returns how many were possible.
int64_t RepeatRootIds(CellTable& root, int count, RandomEngine& rng);

/// Inserts a copy of a random row, at a random place, whose parent is `unused`.
void InsertOrphan(CellTable& table, uint64_t unused, RandomEngine& rng);

}  // namespace df::testing
