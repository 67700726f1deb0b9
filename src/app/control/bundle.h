// What a report of a fault needs, as one file.
#pragma once

#include <string>

#include "app/control/admin_client.h"

namespace df::app {

/// Asks an engine for its status, its document without secrets, its metrics and its log, and writes
/// all of it, and the versions, as a tar file; an earlier one is replaced. Returns the exit code:
/// kExitIncomplete where a part could not be had, which missing.txt in the file names then.
int WriteBundle(const AdminClient& client, const std::string& path);

}  // namespace df::app
