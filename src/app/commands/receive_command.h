// df_engine receive.
#pragma once

namespace df::app {

/// Takes OTLP and writes an archive. Returns the exit code.
int ReceiveCommand(int argc, char** argv);

}  // namespace df::app
