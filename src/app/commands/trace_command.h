// df_engine trace: one trace as a tree.
#pragma once

namespace df::app {

/// Runs the command whose name is argv[0]. Returns the exit code.
int TraceCommand(int argc, char** argv);

}  // namespace df::app
