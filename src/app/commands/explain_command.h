// df_engine nodes and explain: what documents are made of.
#pragma once

namespace df::app {

/// Run the command whose name is argv[0]. Return the exit code.
int NodesCommand(int argc, char** argv);
int ExplainCommand(int argc, char** argv);

}  // namespace df::app
