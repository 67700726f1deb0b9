// What this process uses of the machine, from /proc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace df::nodes::exporters::perf {

/// Sums since the start of the process (network: of the machine). What cannot be read is empty.
struct ProcessUsage {
  struct Cpu {
    int64_t user_ns = 0;
    int64_t system_ns = 0;
    int64_t voluntary_switches = 0;
    int64_t forced_switches = 0;
  };
  struct Memory {
    int64_t resident_bytes = 0;  ///< now
    int64_t peak_bytes = 0;
  };
  struct Traffic {
    int64_t in_bytes = 0;   ///< read, received
    int64_t out_bytes = 0;  ///< written, sent
  };
  std::optional<Cpu> cpu;
  std::optional<Memory> memory;
  std::optional<Traffic> disk;
  std::optional<Traffic> network;  ///< of all interfaces but loopback
};

/// Which parts to read.
struct UsageParts {
  bool cpu = true;
  bool memory = true;
  bool disk = true;
  bool network = true;
};

/// Reads usage below `proc_root`, which is /proc but for tests. Cost: a few small files.
ProcessUsage ReadUsage(const UsageParts& parts, const std::string& proc_root = "/proc");

}  // namespace df::nodes::exporters::perf
