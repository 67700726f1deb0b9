// What is printed when a pipeline has ended.
#pragma once

#include <string>

#include "controller/controller.h"

namespace df::app {

/// Writes the block of the final summary: how it ended, and a line or more for every node.
std::string FormatSummary(const std::string& pipeline, const controller::RunResult& result);

/// Returns the exit code of a run; `is_strict` makes any problem in a report a failure.
int ExitCode(const controller::RunResult& result, bool is_strict);

}  // namespace df::app
