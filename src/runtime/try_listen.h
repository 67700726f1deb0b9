// An address that is listened at to see whether it is free.
#pragma once

#include <string>

#include "base/error.h"

namespace df::runtime {

/// Listens at an address and lets go of it again. Nobody is answered. Errors: those of
/// Listener::Listen, so also who holds the address where the system says that.
Status TryListen(const std::string& address);

}  // namespace df::runtime
