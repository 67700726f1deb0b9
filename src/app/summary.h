// What is printed when the pipelines of a process have ended.
#pragma once

#include <string>

#include "controller/run_result.h"

namespace df::app {

/// Writes the final summary: a block a pipeline, with how it ended and a line or more for every
/// node. `source` names the document; the only pipeline of one is told by that name.
/// Problems and broken sums are counted in its last lines.
std::string FormatSummary(const std::string& source, const controller::RunResult& result);

/// Returns the exit code of a run (exit_codes.h). `allows_incomplete` lets problems in reports
/// pass. Sums that do not hold (engine/account.h) are a failure.
int ExitCode(const controller::RunResult& result, bool allows_incomplete);

/// Tells whether sources of archives have sent no record at all: nothing is there, or nothing of it
/// is wanted.
bool HasSentNothing(const controller::RunResult& result);

}  // namespace df::app
