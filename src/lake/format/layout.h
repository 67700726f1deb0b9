// What the columns of a file are to the model, told before any row is read: a column is recognised,
// or refused by name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "base/error.h"
#include "lake/format/footer.h"
#include "otap/schema.h"

namespace df::lake {

/// A Parquet column that stands for leaves of the model in a shape or under a name that is not
/// read. As long as it holds nothing, nothing is lost.
struct EmptyColumn {
  int column = 0;      ///< Parquet column
  int16_t level = 0;   ///< a definition level from here on is a value
  int first_leaf = 0;  ///< what it stands for, in LeavesOf order
  int num_leaves = 0;
  std::string refusal;  ///< what to say when it holds values
};

/// The columns of one file.
struct Layout {
  std::vector<int>
      columns;  ///< by leaf: its (first) Parquet column, -1 where there is none to read
  /// By leaf: the Parquet column with the whole nanoseconds of a time that is stored coarser, or
  /// -1.
  std::vector<int> companions;
  std::vector<int64_t> nanos_per_unit;  ///< by leaf: of times and durations, 1 elsewhere
  std::vector<EmptyColumn> empty_columns;
  std::vector<int> empty_leaves;  ///< leaves that have such a column under their own name
  /// What stands in the file and is not the model's, and what the writer made coarser. The same
  /// text for all files of a table with the same schema; a damaged stored Arrow schema names its
  /// file.
  std::vector<Status> notices;
  /// What may be telemetry and is not read although all columns of the table are.
  std::vector<Status> problems;
};

/// Classifies every column of a file. A column of the model is read in any form that keeps its
/// values exactly; one that cannot be, whatever its rows hold, must be null in all of them.
/// Errors: schema_reconstruction, when the file as a whole cannot be read right: a column holds
/// values in a shape that is not read, may be the model's under another name, or stands twice; a
/// required column is missing; the columns are those of another table or of no table; `_otel_*`
/// columns, whose ids are unique only together with them. Files without rows are never refused.
Result<Layout> ProbeLayout(otap::TableKind kind, const Footer& footer, const Location& location);

}  // namespace df::lake
