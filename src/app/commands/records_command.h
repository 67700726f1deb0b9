// df_engine logs, spans and points: records of an archive, a line each, in the order of time.
#pragma once

namespace df::app {

/// Run the command whose name is argv[0]. Return the exit code.
int LogsCommand(int argc, char** argv);
int SpansCommand(int argc, char** argv);
int PointsCommand(int argc, char** argv);

}  // namespace df::app
