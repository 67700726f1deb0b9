// A connection that is made to see whether it can be.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "runtime/tls.h"

namespace df::runtime {

/// Connects, agrees on keys where `tls` is not null, and closes the connection again. Waits for it
/// on the thread that calls, with a loop of its own. Errors: kind io, retryable.
Status TryConnect(const std::string& host, uint16_t port, std::shared_ptr<const TlsContext> tls,
                  std::chrono::nanoseconds timeout);

}  // namespace df::runtime
