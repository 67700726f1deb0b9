// convert --to csv and flat-parquet: a table of items for each signal.
#pragma once

#include <string>
#include <vector>

#include "app/commands/archive_flags.h"
#include "app/commands/selection_flags.h"
#include "otap/schema.h"

namespace df::app {

struct FlatConversion {
  std::string command;  ///< as messages name it
  ArchiveFlags archive;
  SelectionFlags selection;
  std::vector<otap::Signal> signals;  ///< none: all that are there
  bool is_csv = true;                 ///< else Parquet
  std::string output;                 ///< a file, '-' for stdout, or a folder
  bool allows_incomplete = false;
};

/// Runs it. Files have their names when they are whole. Returns the exit code.
int ConvertFlat(const FlatConversion& conversion);

}  // namespace df::app
