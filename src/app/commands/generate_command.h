// df_engine generate.
#pragma once

namespace df::app {

/// Makes up telemetry and sends it. Returns the exit code.
int GenerateCommand(int argc, char** argv);

}  // namespace df::app
