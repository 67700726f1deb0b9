// What a signal means, by what came before it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "runtime/clock.h"

namespace df::controller {

/// Returns "SIGTERM" and so on, for the signals that the process listens to.
std::string_view SignalName(int signal);

/// Calls: one at a time.
class SignalPolicy {
 public:
  enum class Action : uint8_t {
    kShutDown,  ///< drains everything
    kForce,     ///< ends the process now
    kReload,
    kNothing,
  };

  /// A signal that comes so soon after the first is the same wish, delivered twice: to the process
  /// and to its group, or by a key that bounces.
  static constexpr std::chrono::milliseconds kSameWish{500};

  Action OnSignal(int signal, runtime::SteadyTime now);

  /// The signal that began the shutdown.
  std::optional<int> shutdown_signal() const { return shutdown_signal_; }

 private:
  std::optional<int> shutdown_signal_;
  runtime::SteadyTime first_;
};

}  // namespace df::controller
