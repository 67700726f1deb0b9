// The trees that the benchmark reads.
#pragma once

#include <string>

#include <arrow/status.h>

namespace df::bench {

/// Copies every partition of `source` `copies` times below `target`, each under a fresh partition
/// id (from a fixed seed).
arrow::Status MultiplyTree(const std::string& source, const std::string& target, int copies);

}  // namespace df::bench
