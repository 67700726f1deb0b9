// The cores that this process may use.
#pragma once

#include <string_view>
#include <vector>

#include <arrow/result.h>
#include <arrow/status.h>

namespace df::runtime {

/// Returns the ids of the cores that the process may run on, ascending.
std::vector<int> AllowedCores();

/// Binds the calling thread to a core. Errors: IOError when the system refuses.
arrow::Status PinThisThread(int core);

/// Parses "2", "0-3", "0-3,6": ids and inclusive ranges. Errors: Invalid naming the text.
arrow::Result<std::vector<int>> ParseCoreIds(std::string_view text);

}  // namespace df::runtime
