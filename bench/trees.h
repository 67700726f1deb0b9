// The trees that the benchmark reads.
#pragma once

#include <string>

#include <arrow/status.h>

namespace df::bench {

/// Copies every partition of `source` `copies` times below `target`, each under a fresh partition
/// id (from a fixed seed).
arrow::Status MultiplyTree(const std::string& source, const std::string& target, int copies);

/// Rewrites a tree: one zstd file per table and partition, children in the order of their parents,
/// so that statistics and row order prove each other. Ids stay as they are.
arrow::Status RewriteInRowOrder(const std::string& source, const std::string& target);

}  // namespace df::bench
