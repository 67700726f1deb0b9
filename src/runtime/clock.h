// Time as the loops see it: real, or driven by a test.
#pragma once

#include <chrono>

namespace df::runtime {

using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

/// Tells the time. Calls: from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  /// For durations and deadlines; never goes back.
  virtual SteadyTime Now() const = 0;
  /// For ages of files and time stamps.
  virtual WallTime WallNow() const = 0;
};

/// Returns the clock of the machine.
const Clock& SystemClock();

}  // namespace df::runtime
