// df_engine ctl: asks things of a running engine.
#pragma once

namespace df::app {

/// Runs one action over the admin API. Returns the exit code.
int CtlCommand(int argc, char** argv);

}  // namespace df::app
