// Makes TCP connections. Included by runtime sources only.
#pragma once

#include <cstdint>
#include <string>

#include <boost/asio/ip/tcp.hpp>

#include "base/error.h"
#include "runtime/event_loop.h"

namespace df::runtime {

/// Connects to the first address of a host that answers. Names are looked up by the system's
/// resolver, on a thread that the I/O library keeps for it. `loop` is borrowed.
/// Errors: kind io, retryable.
Task<Result<boost::asio::ip::tcp::socket>> ConnectTcp(EventLoop* loop, std::string host,
                                                      uint16_t port, SteadyTime deadline);

}  // namespace df::runtime
