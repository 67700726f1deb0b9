#include "engine_process.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace df::e2e {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

std::string ReadAll(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void Redirect(const char* path, int target) {
  const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  dup2(file, target);
  close(file);
}

// Takes from a root process the right to pass over file permissions, in what it executes next.
// Another user would obey them too, but might not reach the program itself: a clone may lie in
// root's home.
bool LetPermissionsBindRoot() {
  return prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) == 0 &&
         prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH, 0, 0, 0) == 0;
}

/// Returns what a process that has ended, and is not waited for yet, has read.
int64_t ReadBytesOf(pid_t process) {
  std::ifstream counts("/proc/" + std::to_string(process) + "/io");
  std::string name;
  int64_t bytes = 0;
  counts >> name >> bytes;  // rchar comes first
  return bytes;
}

/// Returns the most memory that a running program has had; 0 when it has ended, and while the
/// process is still a copy of this one.
int64_t PeakMemoryOf(pid_t process) {
  std::error_code ended;
  const fs::path runs = fs::read_symlink("/proc/" + std::to_string(process) + "/exe", ended);
  if (ended || runs == fs::read_symlink("/proc/self/exe")) {
    return 0;
  }
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) {
      return std::strtoll(line.c_str() + 6, nullptr, 10) * 1024;
    }
  }
  return 0;
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (fs::temp_directory_path() / "df-e2e-XXXXXX").string();
  path_ = mkdtemp(pattern.data());
  chmod(path_.c_str(), 0777);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(
           path_, fs::directory_options::skip_permission_denied, ignored)) {
    if (entry.is_directory()) {
      fs::permissions(entry.path(), fs::perms::owner_all, fs::perm_options::add, ignored);
    }
  }
  fs::remove_all(path_, ignored);
}

EngineProcess::EngineProcess(const fs::path& folder, const Options& options) : folder_(folder) {
  std::vector<std::string> command = {options.program};
  command.insert(command.end(), options.arguments.begin(), options.arguments.end());
  std::vector<char*> pointers;
  for (std::string& argument : command) {
    pointers.push_back(argument.data());
  }
  pointers.push_back(nullptr);
  const fs::path output = folder_ / "stdout";
  const fs::path log = folder_ / "stderr";
  child_ = fork();
  if (child_ == 0) {
    // It may not allocate: a thread of a test's server may hold the allocator's lock at the fork,
    // and ASan's allocator does not give it back to the child.
    Redirect(output.c_str(), STDOUT_FILENO);
    Redirect(log.c_str(), STDERR_FILENO);
    if (chdir(folder_.c_str()) != 0) {
      _exit(126);
    }
    if (options.obeys_permissions && geteuid() == 0 && !LetPermissionsBindRoot()) {
      _exit(126);
    }
    if (options.max_open_files > 0) {
      const rlimit files{.rlim_cur = options.max_open_files, .rlim_max = options.max_open_files};
      if (setrlimit(RLIMIT_NOFILE, &files) != 0) {
        _exit(126);
      }
    }
    execv(pointers[0], pointers.data());
    _exit(127);
  }
}

EngineProcess::~EngineProcess() {
  if (child_ > 0) {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
}

int EngineProcess::Wait(std::chrono::seconds at_most) {
  if (child_ > 0) {
    pollfd end{
        .fd = static_cast<int>(syscall(SYS_pidfd_open, child_, 0)), .events = POLLIN, .revents = 0};
    // What it takes is asked now and then: the kernel's own peak counts the parent of a fork too.
    constexpr std::chrono::milliseconds kLook(20);
    const auto deadline = steady_clock::now() + at_most;
    do {
      usage_.peak_memory_bytes = std::max(usage_.peak_memory_bytes, PeakMemoryOf(child_));
    } while (poll(&end, 1, static_cast<int>(kLook.count())) == 0 && steady_clock::now() < deadline);
    close(end.fd);
    Reap();
  }
  return exit_code_;
}

bool EngineProcess::Reap() {
  siginfo_t ended{};
  if (child_ > 0 &&
      waitid(P_PID, static_cast<id_t>(child_), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
      ended.si_pid == child_) {
    usage_.read_bytes = ReadBytesOf(child_);
  }
  int status = 0;
  rusage taken{};
  if (child_ > 0 && wait4(child_, &status, WNOHANG, &taken) == child_) {
    child_ = -1;
    const auto span = [](const timeval& time) {
      return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
    };
    usage_.cpu_time = span(taken.ru_utime) + span(taken.ru_stime);
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return child_ < 0;
}

void EngineProcess::Signal(int number) {
  if (child_ > 0) {
    kill(child_, number);
  }
}

bool EngineProcess::WaitForOutput(const std::function<bool(const std::string&)>& is_there,
                                  std::chrono::seconds at_most) {
  const auto deadline = steady_clock::now() + at_most;
  const int changes = inotify_init1(IN_NONBLOCK);
  bool is_found = false;
  while (!is_found && steady_clock::now() < deadline) {
    constexpr uint32_t kChanges = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE;
    inotify_add_watch(changes, folder_.c_str(), kChanges);
    inotify_add_watch(changes, (folder_ / "out").c_str(),
                      kChanges);  // fails until the exporter has made it
    is_found = is_there(Output());
    if (is_found || Reap()) {
      break;
    }
    pollfd events[] = {{.fd = static_cast<int>(syscall(SYS_pidfd_open, child_, 0)),
                        .events = POLLIN,
                        .revents = 0},
                       {.fd = changes, .events = POLLIN, .revents = 0}};
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_clock::now());
    poll(events, 2, static_cast<int>(std::max<int64_t>(left.count(), 0)));
    close(events[0].fd);
    std::array<char, 4096> drained;
    while (read(changes, drained.data(), drained.size()) > 0) {
    }
  }
  close(changes);
  return is_found || is_there(Output());
}

std::string EngineProcess::Output() const { return ReadAll(folder_ / "stdout"); }
std::string EngineProcess::Log() const { return ReadAll(folder_ / "stderr"); }

Ran RunIn(const std::filesystem::path& folder, std::vector<std::string> arguments) {
  EngineProcess process(folder, {.arguments = std::move(arguments)});
  const int code = process.Wait();
  return {code, process.Output(), process.Log()};
}

fs::path WritePipeline(const fs::path& folder, const ReplaySettings& settings) {
  const fs::path path = folder / "pipeline.yaml";
  std::ofstream(path) << fmt::format(R"(nodes:
  receiver:
    kind: receiver
    plugin_urn: "urn:otel:otap:parquet:receiver"
    out_ports:
      out_port:
        destinations: [exporter]
        dispatch_strategy: round_robin
    config:
      base_uri: "{}"
      signal_types: {}
      polling_interval: {}
{}      processing_options:
        validate_relations: true
{}  exporter:
    kind: exporter
{})",
                                     settings.base.string(), settings.signals, settings.polling,
                                     settings.more_receiver_config, settings.processing,
                                     settings.exporter);
  return path;
}

std::string OtlpFileExporter(const fs::path& folder) {
  return fmt::format(
      "    plugin_urn: \"urn:otel:file:exporter\"\n    config:\n"
      "      path: \"{}/out/{{signal}}-{{core_id}}.otlp\"\n      format: otlp_proto\n",
      folder.string());
}

std::vector<std::string> OtlpFiles(const fs::path& folder, const std::string& signal) {
  std::vector<std::string> files;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(folder / "out", missing)) {
    if (entry.path().filename().string().starts_with(signal + "-")) {
      files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace df::e2e
