#include "controller/signal_policy.h"

#include <csignal>

namespace df::controller {

std::string_view SignalName(int signal) {
  switch (signal) {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    case SIGHUP:
      return "SIGHUP";
    case SIGUSR1:
      return "SIGUSR1";
    case SIGUSR2:
      return "SIGUSR2";
    default:
      return "a signal";
  }
}

SignalPolicy::Action SignalPolicy::OnSignal(int signal, runtime::SteadyTime now) {
  if (signal == SIGHUP) {
    return Action::kReload;
  }
  if (signal != SIGINT && signal != SIGTERM) {
    return Action::kNothing;
  }
  if (!shutdown_signal_.has_value()) {
    shutdown_signal_ = signal;
    first_ = now;
    return Action::kShutDown;
  }
  return now - first_ < kSameWish ? Action::kNothing : Action::kForce;
}

}  // namespace df::controller
