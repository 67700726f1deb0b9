// df_engine replay and convert: pipelines of one line.
#pragma once

namespace df::app {

/// Run the command whose name is argv[0]. Return the exit code.
int ReplayCommand(int argc, char** argv);
int ConvertCommand(int argc, char** argv);

}  // namespace df::app
