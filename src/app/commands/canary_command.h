// df_engine canary.
#pragma once

namespace df::app {

/// Sends known items through a pipeline and looks for them in the archive that it writes, again and
/// again. Returns the exit code.
int CanaryCommand(int argc, char** argv);

}  // namespace df::app
