// df_engine validate: whether a document is right, and what it needs is there.
#pragma once

namespace df::app {

/// Runs the command whose name is argv[0]. Returns the exit code.
int ValidateCommand(int argc, char** argv);

}  // namespace df::app
