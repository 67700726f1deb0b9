#include "nodes/exporters/perf/process_usage.h"

#include <fstream>
#include <sstream>
#include <string_view>

#include <sys/resource.h>
#include <unistd.h>

namespace df::nodes::exporters::perf {
namespace {

int64_t Nanos(const timeval& time) {
  return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_usec * 1000;
}

/// Of all threads, which the status files of /proc do not sum up.
std::optional<ProcessUsage::Cpu> ReadCpu() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) {
    return std::nullopt;
  }
  return ProcessUsage::Cpu{.user_ns = Nanos(usage.ru_utime),
                           .system_ns = Nanos(usage.ru_stime),
                           .voluntary_switches = usage.ru_nvcsw,
                           .forced_switches = usage.ru_nivcsw};
}

/// Returns the number behind "name" at the begin of a line of the file.
std::optional<int64_t> ReadNumber(const std::string& path, std::string_view name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name)) {
      std::istringstream rest(line.substr(name.size()));
      int64_t number = 0;
      return rest >> number ? std::optional(number) : std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<ProcessUsage::Memory> ReadMemory(const std::string& proc_root) {
  const std::string path = proc_root + "/self/status";
  const std::optional<int64_t> resident = ReadNumber(path, "VmRSS:");
  const std::optional<int64_t> peak = ReadNumber(path, "VmHWM:");
  if (!resident.has_value() || !peak.has_value()) {
    return std::nullopt;
  }
  return ProcessUsage::Memory{.resident_bytes = *resident * 1024, .peak_bytes = *peak * 1024};
}

std::optional<ProcessUsage::Traffic> ReadDisk(const std::string& proc_root) {
  const std::string path = proc_root + "/self/io";
  const std::optional<int64_t> in = ReadNumber(path, "read_bytes:");
  const std::optional<int64_t> out = ReadNumber(path, "write_bytes:");
  if (!in.has_value() || !out.has_value()) {
    return std::nullopt;
  }
  return ProcessUsage::Traffic{.in_bytes = *in, .out_bytes = *out};
}

/// Shape of a line: "eth0: received_bytes packets errs drop fifo frame compressed multicast
/// sent_bytes ..".
std::optional<ProcessUsage::Traffic> ReadNetwork(const std::string& proc_root) {
  std::ifstream file(proc_root + "/net/dev");
  if (!file) {
    return std::nullopt;
  }
  ProcessUsage::Traffic sum;
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) {
      continue;
    }
    const size_t begin = line.find_first_not_of(' ');
    if (line.substr(begin, colon - begin) == "lo") {
      continue;
    }
    std::istringstream numbers(line.substr(colon + 1));
    int64_t number = 0;
    for (int column = 0; column < 9 && numbers >> number; ++column) {
      sum.in_bytes += column == 0 ? number : 0;
      sum.out_bytes += column == 8 ? number : 0;
    }
  }
  return sum;
}

}  // namespace

ProcessUsage ReadUsage(const UsageParts& parts, const std::string& proc_root) {
  ProcessUsage usage;
  if (parts.cpu) {
    usage.cpu = ReadCpu();
  }
  if (parts.memory) {
    usage.memory = ReadMemory(proc_root);
  }
  if (parts.disk) {
    usage.disk = ReadDisk(proc_root);
  }
  if (parts.network) {
    usage.network = ReadNetwork(proc_root);
  }
  return usage;
}

}  // namespace df::nodes::exporters::perf
