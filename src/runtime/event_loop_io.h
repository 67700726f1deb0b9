// What the loop keeps from its nodes: the I/O library. Included by runtime sources only.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "runtime/event_loop.h"

namespace df::runtime {

class EventLoop::Io {
 public:
  // One thread runs it; other threads only post and stop.
  boost::asio::io_context context{1};
  boost::asio::steady_timer timer{context};
};

/// Where sockets of the loop belong.
inline boost::asio::io_context& IoContext(EventLoop* loop) { return loop->io_->context; }

}  // namespace df::runtime
