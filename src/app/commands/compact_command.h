// df_engine compact: small partitions of an archive become large ones.
#pragma once

namespace df::app {

int CompactCommand(int argc, char** argv);

}  // namespace df::app
