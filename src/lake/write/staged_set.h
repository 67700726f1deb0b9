// A small set of files that waits to become part of a larger one.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "otap/schema.h"

namespace df::lake {

/// Durable, and in a place that readers pass over. The ids of sets of one partition are of one
/// numbering, and those of an older set are smaller.
struct StagedSet {
  std::string file_set;  ///< as in the footers of its files
  otap::Signal signal = otap::Signal::kLogs;
  std::string partition;  ///< folders between table and file, those of times included
  bool has_time_levels = false;
  int64_t unix_millis = 0;                           ///< as in the names of its files
  std::array<std::string, otap::kTableCount> files;  ///< below the staging place; "" for none
  std::array<int64_t, otap::kTableCount> rows{};
  int64_t size_bytes = 0;
};

}  // namespace df::lake
