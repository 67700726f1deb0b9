#include "child_process.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace df::bench {
namespace {

[[noreturn]] void Exec(const std::vector<std::string>& command, const std::vector<int>& cores) {
  if (!cores.empty()) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const int core : cores) {
      CPU_SET(static_cast<size_t>(core), &set);
    }
    sched_setaffinity(0, sizeof(set), &set);
  }
  const int null = open("/dev/null", O_RDWR);
  dup2(null, STDIN_FILENO);
  dup2(null, STDOUT_FILENO);
  dup2(null, STDERR_FILENO);
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  execv(arguments[0], arguments.data());
  _exit(127);
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

arrow::Result<Usage> RunMeasured(const std::vector<std::string>& command,
                                 const std::vector<int>& cores, int expected_exit_code) {
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = fork();
  if (child < 0) {
    return arrow::Status::IOError("fork: ", std::strerror(errno));
  }
  if (child == 0) {
    Exec(command, cores);
  }
  int status = 0;
  rusage usage{};
  if (wait4(child, &status, 0, &usage) < 0) {
    return arrow::Status::IOError("wait4: ", std::strerror(errno));
  }
  Usage result;
  result.wall_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result.cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  result.peak_rss_bytes = int64_t{usage.ru_maxrss} * 1024;
  const int exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (exit_code != expected_exit_code) {
    return arrow::Status::Invalid(fmt::format("{} ended with exit code {}, expected {}",
                                              fmt::join(command, " "), exit_code,
                                              expected_exit_code));
  }
  return result;
}

arrow::Result<Usage> BestOf(int repeats, const std::vector<std::string>& command,
                            const std::vector<int>& cores, int expected_exit_code) {
  Usage best;
  for (int i = 0; i < repeats; ++i) {
    ARROW_ASSIGN_OR_RAISE(const Usage usage, RunMeasured(command, cores, expected_exit_code));
    if (i == 0) {
      best = usage;
    }
    best.cpu_seconds = std::min(best.cpu_seconds, usage.cpu_seconds);
    best.wall_seconds = std::min(best.wall_seconds, usage.wall_seconds);
    best.peak_rss_bytes = std::max(best.peak_rss_bytes, usage.peak_rss_bytes);
  }
  return best;
}

}  // namespace df::bench
