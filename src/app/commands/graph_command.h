// df_engine graph: the pipelines of a document, drawn.
#pragma once

namespace df::app {

/// Runs the command whose name is argv[0]. Returns the exit code.
int GraphCommand(int argc, char** argv);

}  // namespace df::app
