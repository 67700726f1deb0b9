#include "terminal_process.h"

#include <csignal>
#include <cstdlib>

#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace df::e2e {

TerminalProcess::TerminalProcess(const std::filesystem::path& folder, const Options& options) {
  std::vector<std::string> arguments = {DF_ENGINE_PATH};
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  std::vector<char*> pointers;
  for (std::string& argument : arguments) {
    pointers.push_back(argument.data());
  }
  pointers.push_back(nullptr);
  // A child may not allocate before it executes the program: another thread of the test may hold
  // the allocator's lock at the fork. A name that comes twice counts as it comes first.
  std::vector<std::string> settings;
  for (const auto& [name, value] : options.environment) {
    settings.push_back(name + "=" + value);
  }
  std::vector<char*> environment;
  for (std::string& setting : settings) {
    environment.push_back(setting.data());
  }
  for (char** inherited = environ; *inherited != nullptr; ++inherited) {
    environment.push_back(*inherited);
  }
  environment.push_back(nullptr);
  winsize size{.ws_row = options.rows, .ws_col = options.columns, .ws_xpixel = 0, .ws_ypixel = 0};
  child_ = forkpty(&terminal_, nullptr, nullptr, &size);
  EXPECT_NE(child_, -1);
  if (child_ == 0) {
    if (chdir(folder.c_str()) == 0) {
      execve(DF_ENGINE_PATH, pointers.data(), environment.data());
    }
    _exit(127);
  }
}

TerminalProcess::~TerminalProcess() {
  if (child_ > 0) {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  close(terminal_);
}

void TerminalProcess::Type(const std::string& keys) const {
  EXPECT_EQ(write(terminal_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
}

void TerminalProcess::Resize(unsigned short columns) const {
  const winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  EXPECT_EQ(ioctl(terminal_, TIOCSWINSZ, &size), 0);
}

bool TerminalProcess::ReadUntil(const std::function<bool(const std::string&)>& is_there,
                                std::chrono::seconds at_most) {
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  while (!is_there(output_)) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd readable{.fd = terminal_, .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || poll(&readable, 1, static_cast<int>(left.count())) <= 0) {
      return false;
    }
    char bytes[4096];
    const ssize_t num_read = read(terminal_, bytes, sizeof(bytes));
    if (num_read <= 0) {
      return false;  // the process has ended, and nothing is left of what it printed
    }
    output_.append(bytes, static_cast<size_t>(num_read));
  }
  return true;
}

int TerminalProcess::Wait(std::chrono::seconds at_most) {
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  ReadUntil([](const std::string&) { return false; }, at_most);
  if (std::chrono::steady_clock::now() >= deadline) {
    return -1;
  }
  int status = 0;
  waitpid(child_, &status, 0);
  child_ = -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace df::e2e
