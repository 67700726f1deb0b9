// `df_engine quarantine`.
#pragma once

namespace df::app {

/// Shows what a checkpoint has put into quarantine, has it tried again, or gives it up. Returns the
/// exit code.
int QuarantineCommand(int argc, char** argv);

}  // namespace df::app
