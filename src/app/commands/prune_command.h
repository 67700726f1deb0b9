// df_engine prune: removes what is older than some time.
#pragma once

namespace df::app {

int PruneCommand(int argc, char** argv);

}  // namespace df::app
