// df_engine nodes, explain and validate: what documents are made of, and whether one is right.
#pragma once

namespace df::app {

/// Run the command whose name is argv[0]. Return the exit code.
int NodesCommand(int argc, char** argv);
int ExplainCommand(int argc, char** argv);
int ValidateCommand(int argc, char** argv);

}  // namespace df::app
