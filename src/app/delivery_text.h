// What a replay of the command line has come to, in a few lines.
#pragma once

#include <string>

#include "controller/run_result.h"

namespace df::app {

/// Writes what was delivered, refused and left, and what is missing and why, of the nodes of
/// `result`; `is_quiet`: only what is missing or failed, and why. `command` stands in front of
/// problems.
std::string FormatDelivery(const std::string& command, const controller::RunResult& result,
                           bool is_quiet);

}  // namespace df::app
