// df_engine inspect: what an archive holds.
#pragma once

namespace df::app {

/// Runs the command whose name is argv[0]. Returns the exit code.
int InspectCommand(int argc, char** argv);

}  // namespace df::app
