#include "lake/ledger/lease_clock.h"

#include <ctime>
#include <fstream>

namespace df::lake {
namespace {

std::string ReadBoot() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  std::getline(file, boot);
  return boot;
}

}  // namespace

MachineTime ReadMachineTime() {
  static const std::string kBoot = ReadBoot();
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return {.boot = kBoot,
          .since_boot = std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec)};
}

}  // namespace df::lake
