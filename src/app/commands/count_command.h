// df_engine count: how many items an archive has, by what.
#pragma once

namespace df::app {

/// Runs the command whose name is argv[0]. Returns the exit code.
int CountCommand(int argc, char** argv);

}  // namespace df::app
