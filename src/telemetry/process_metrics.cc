#include "telemetry/process_metrics.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "telemetry/names.h"

namespace df::telemetry {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;

int64_t ToNanos(const timeval& time) {
  return static_cast<int64_t>(time.tv_sec) * kNanosPerSecond +
         static_cast<int64_t>(time.tv_usec) * 1000;
}

/// Fields of /proc/self/stat behind the name of the program, which may contain anything.
std::vector<int64_t> ReadStat() {
  std::ifstream file("/proc/self/stat");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const size_t end_of_name = text.rfind(')');
  std::vector<int64_t> fields;
  if (end_of_name != std::string::npos && end_of_name + 4 < text.size()) {
    std::istringstream rest(text.substr(end_of_name + 4));  // ") S " has the state
    for (int64_t value = 0; rest >> value;) {
      fields.push_back(value);
    }
  }
  return fields;
}

// Positions in ReadStat; proc(5) counts the pid as 1, and the first one here is 4.
constexpr size_t kStatThreads = 20 - 4;
constexpr size_t kStatStartTicks = 22 - 4;
constexpr size_t kStatVirtualBytes = 23 - 4;
constexpr size_t kStatResidentPages = 24 - 4;

/// Counts the entries of a folder without the descriptor that is needed for it.
int64_t CountOpenFiles() {
  std::error_code error;
  int64_t count = -1;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end;
       !error && entry != end; entry.increment(error)) {
    ++count;
  }
  return count;
}

constexpr std::string_view BuildType() {
#ifdef NDEBUG
  return "release";
#else
  return "debug";
#endif
}

constexpr std::string_view Compiler() {
#ifdef __clang__
  return "clang " __clang_version__;
#else
  return "gcc " __VERSION__;
#endif
}

}  // namespace

class ProcessMetrics::Set {
 public:
  explicit Set(Registry* registry)
      : set_(registry->FindOrAdd(names::kProcessScope, {})),
        user_time_(set_.AddCounter(names::kProcessCpuTime, {{"cpu.mode", "user"}})),
        system_time_(set_.AddCounter(names::kProcessCpuTime, {{"cpu.mode", "system"}})),
        memory_(set_.AddGauge(names::kProcessMemoryUsage)),
        peak_(set_.AddGauge(names::kProcessMemoryPeak)),
        virtual_memory_(set_.AddGauge(names::kProcessMemoryVirtual)),
        open_files_(set_.AddGauge(names::kProcessOpenFiles)),
        threads_(set_.AddGauge(names::kProcessThreads)),
        voluntary_(set_.AddCounter(names::kProcessContextSwitches,
                                   {{"process.context_switch.type", "voluntary"}})),
        involuntary_(set_.AddCounter(names::kProcessContextSwitches,
                                     {{"process.context_switch.type", "involuntary"}})),
        major_faults_(
            set_.AddCounter(names::kProcessPageFaults, {{"system.paging.fault.type", "major"}})),
        minor_faults_(
            set_.AddCounter(names::kProcessPageFaults, {{"system.paging.fault.type", "minor"}})),
        uptime_(set_.AddGauge(names::kProcessUptime)) {
    set_.AddGauge(names::kBuildInfo, {{"build.compiler", std::string(Compiler())},
                                      {"build.type", std::string(BuildType())}})
        .Set(1);
    for (size_t i = 0; i < kNumLogLevels; ++i) {
      const Attributes level = {
          {std::string(names::kLevel), std::string(Name(static_cast<LogLevel>(i)))}};
      written_[i] = &set_.AddCounter(names::kLogRecords, level);
      suppressed_[i] = &set_.AddCounter(names::kLogSuppressed, level);
    }
  }

  void Update() {
    UpdateUsage();
    UpdateStat();
    if (const int64_t open_files = CountOpenFiles(); open_files >= 0) {
      open_files_.Set(open_files);
    }
    const Log::Counts counts = ProcessLog().counts();
    for (size_t i = 0; i < kNumLogLevels; ++i) {
      written_[i]->Set(counts.written[i]);
      suppressed_[i]->Set(counts.suppressed[i]);
    }
  }

 private:
  void UpdateUsage() {
    rusage usage{};
    if (getrusage(RUSAGE_SELF, &usage) != 0) {
      return;
    }
    user_time_.Set(ToNanos(usage.ru_utime));
    system_time_.Set(ToNanos(usage.ru_stime));
    peak_.Set(static_cast<int64_t>(usage.ru_maxrss) * 1024);
    voluntary_.Set(usage.ru_nvcsw);
    involuntary_.Set(usage.ru_nivcsw);
    major_faults_.Set(usage.ru_majflt);
    minor_faults_.Set(usage.ru_minflt);
  }

  void UpdateStat() {
    const std::vector<int64_t> stat = ReadStat();
    if (stat.size() <= kStatResidentPages) {
      return;
    }
    threads_.Set(stat[kStatThreads]);
    virtual_memory_.Set(stat[kStatVirtualBytes]);
    memory_.Set(stat[kStatResidentPages] * sysconf(_SC_PAGESIZE));
    timespec since_boot{};
    if (clock_gettime(CLOCK_BOOTTIME, &since_boot) == 0) {
      const int64_t now = static_cast<int64_t>(since_boot.tv_sec) * kNanosPerSecond +
                          static_cast<int64_t>(since_boot.tv_nsec);
      const int64_t tick = kNanosPerSecond / sysconf(_SC_CLK_TCK);
      uptime_.Set(now - stat[kStatStartTicks] * tick);
    }
  }

  MetricSet& set_;
  Counter& user_time_;
  Counter& system_time_;
  Gauge& memory_;
  Gauge& peak_;
  Gauge& virtual_memory_;
  Gauge& open_files_;
  Gauge& threads_;
  Counter& voluntary_;
  Counter& involuntary_;
  Counter& major_faults_;
  Counter& minor_faults_;
  Gauge& uptime_;
  std::array<Counter*, kNumLogLevels> written_{};
  std::array<Counter*, kNumLogLevels> suppressed_{};
};

ProcessMetrics::ProcessMetrics(Registry* registry)
    : set_(std::make_unique<Set>(registry)),
      hook_(registry->OnCollect([set = set_.get()] { set->Update(); })) {}

ProcessMetrics::~ProcessMetrics() = default;

}  // namespace df::telemetry
