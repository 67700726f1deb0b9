// df_engine verify: is all of an archive there and readable, and is it the same as something else.
#pragma once

namespace df::app {

/// Runs the command whose name is argv[0]. Returns the exit code.
int VerifyCommand(int argc, char** argv);

}  // namespace df::app
