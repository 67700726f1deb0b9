// What the program can be asked to do.
#pragma once

namespace df::app {

/// How the process ends.
inline constexpr int kExitClean = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitForced = 3;

/// Runs a pipeline until it is done: `df_engine --pipeline FILE ...`. Returns the exit code.
int RunCommand(int argc, char** argv);

}  // namespace df::app
