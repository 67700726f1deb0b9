// The log that a running engine keeps in memory.
#pragma once

#include <cstdint>

#include "app/control/admin_client.h"

namespace df::app {

struct LogPrinterOptions {
  int64_t count = 20;    ///< of records, the newest; 1 to 1000
  bool follows = false;  ///< goes on with those that come, until stopped
  bool is_json = false;  ///< an object for each record, on a line
};

/// Prints records of the log, the oldest first, and says on stderr how many are no longer kept.
/// Returns the exit code.
int PrintLog(const AdminClient& client, const LogPrinterOptions& options);

}  // namespace df::app
