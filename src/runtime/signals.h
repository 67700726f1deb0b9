// Signals as calls on a loop.
#pragma once

#include <functional>
#include <memory>

#include "runtime/event_loop.h"

namespace df::runtime {

/// From now on SIGHUP, SIGUSR1 and SIGUSR2 do not end the process: a SIGHUP is kept for the
/// SignalListener that comes, the others go nowhere. SIGPIPE and SIGXFSZ are ignored: a peer that
/// closes its socket, and a file that reaches the limit of its size, are errors of the write.
/// Calls: once, before there are threads.
void HoldSignals();

/// Calls back on the loop for every SIGINT, SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 until it is
/// destroyed, and for a SIGHUP that HoldSignals has kept. Afterwards SIGINT and SIGTERM end the
/// process, and the others do nothing. One a process.
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
