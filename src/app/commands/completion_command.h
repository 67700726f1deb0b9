// df_engine completion: scripts that have shells complete commands, flags and paths.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace df::app {

/// Returns the script of a shell: bash, zsh or fish. It asks the program for the flags of a command
/// when they are wanted. Errors: Invalid for any other shell.
Result<std::string> CompletionScript(std::string_view shell);

/// Runs the command whose name is argv[0]. Returns the exit code.
int CompletionCommand(int argc, char** argv);

}  // namespace df::app
