// df_engine top: what a running engine does, a second.
#pragma once

namespace df::app {

/// Prints rates of pipelines and nodes, until stopped. Returns the exit code.
int TopCommand(int argc, char** argv);

}  // namespace df::app
