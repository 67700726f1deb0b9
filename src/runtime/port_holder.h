// Who listens at a port, as far as the system tells.
#pragma once

#include <cstdint>
#include <string>

namespace df::runtime {

/// Returns "process 4711 (df_engine)" for a process that listens at the TCP port, on whatever
/// address, "this process" for this one; empty where the system does not say, as it does not of
/// processes of other users. Reads /proc; Cost: in the open files of this machine.
std::string FindPortHolder(uint16_t port);

}  // namespace df::runtime
