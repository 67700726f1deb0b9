// SIGINT and SIGTERM as calls on a loop.
#pragma once

#include <functional>
#include <memory>

#include "runtime/event_loop.h"

namespace df::runtime {

/// Calls back on the loop for every SIGINT and SIGTERM until it is destroyed. One a process.
class SignalListener {
 public:
  SignalListener(EventLoop* loop, std::function<void(int signal)> action);
  ~SignalListener();
  SignalListener(const SignalListener&) = delete;
  SignalListener& operator=(const SignalListener&) = delete;

 private:
  class Registration;
  std::shared_ptr<Registration> registration_;
};

}  // namespace df::runtime
