// Ids for those that are to get their first attribute.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include <arrow/result.h>

#include "otap/batch.h"

namespace df::otap {

/// The tables of a batch while they are changed.
class OpenBatch {
 public:
  explicit OpenBatch(Signal signal) : signal_(signal) {}

  Signal signal() const { return signal_; }
  std::shared_ptr<arrow::RecordBatch>& table(TableKind kind) { return tables_[TableIndex(kind)]; }

 private:
  Signal signal_;
  std::array<std::shared_ptr<arrow::RecordBatch>, kTableCount> tables_;
};

/// Makes sure that everything that may own attributes of a table has an id, and returns these ids,
/// each once: of the rows of the parent table, or of the resources or scopes of the root. Rows
/// without a resource (scope) get one in common. Errors: Invalid when no id of the width is free.
arrow::Result<std::vector<uint32_t>> GiveOwnersIds(TableKind attributes, OpenBatch* tables);

}  // namespace df::otap
