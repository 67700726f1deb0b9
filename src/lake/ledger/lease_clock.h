// The time that all processes of a machine agree on, whatever is done to its wall clock.
#pragma once

#include <chrono>
#include <functional>
#include <string>

namespace df::lake {

/// A moment: how long ago the machine was started, time asleep included, and which start that was.
/// Moments of different starts cannot be compared.
struct MachineTime {
  std::string boot;
  std::chrono::nanoseconds since_boot{0};
};

/// Calls: from any thread.
using MachineClock = std::function<MachineTime()>;

/// CLOCK_BOOTTIME and the boot id of the kernel; "" where the system tells none.
MachineTime ReadMachineTime();

}  // namespace df::lake
