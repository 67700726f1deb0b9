// `df_engine checkpoint`.
#pragma once

namespace df::app {

/// Looks at a checkpoint that no replay uses, moves it, or begins it anew. Returns the exit code.
int CheckpointCommand(int argc, char** argv);

}  // namespace df::app
