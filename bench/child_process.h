// Runs a command and measures it as a whole process.
#pragma once

#include <string>
#include <vector>

#include <arrow/result.h>

namespace df::bench {

struct Usage {
  double cpu_seconds = 0;  ///< user and system, all threads
  double wall_seconds = 0;
  int64_t peak_rss_bytes = 0;
};

/// Runs `command` with all its threads on the given cores (none = no pinning), its output
/// discarded. Errors: it ends with another exit code than the expected one.
arrow::Result<Usage> RunMeasured(const std::vector<std::string>& command,
                                 const std::vector<int>& cores, int expected_exit_code = 0);

/// Runs a command `repeats` times and keeps the smallest of each figure: the least disturbed run.
arrow::Result<Usage> BestOf(int repeats, const std::vector<std::string>& command,
                            const std::vector<int>& cores, int expected_exit_code = 0);

}  // namespace df::bench
