// df_engine tap: records that pass a node of a running engine.
#pragma once

namespace df::app {

/// Prints records until stopped, or until so many as asked for. Returns the exit code.
int TapCommand(int argc, char** argv);

}  // namespace df::app
