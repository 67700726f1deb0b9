// What a reader of a lake gives out.
#pragma once

#include <cstdint>
#include <string>

#include "otap/batch.h"

namespace df::lake {

/// Names the root rows that a payload was made of.
struct Origin {
  std::string partition;  ///< key path below the table folder, "" when there is none
  std::string file;       ///< path below the base
  int row_group = 0;
  int64_t first_row = 0;  ///< inside the row group
  int64_t num_rows = 0;
  int64_t num_selected_out = 0;  ///< of these rows: not of the selection, and not in the batch
  int64_t num_unanswered = 0;    ///< of these rows: the condition has no answer; not in the batch

  /// Rows that are in the batch.
  int64_t num_emitted() const { return num_rows - num_selected_out - num_unanswered; }
};

/// One batch in canonical form and where it came from.
struct Payload {
  otap::BatchPtr batch;  ///< null where nobody wants any of the rows
  Origin origin;
};

}  // namespace df::lake
