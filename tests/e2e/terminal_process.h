// Runs the built program on a terminal of the test's own.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

namespace df::e2e {

/// One run of df_engine whose stdin, stdout and stderr are a terminal. Owner: the destructor ends
/// the process if it still runs.
class TerminalProcess {
 public:
  struct Options {
    std::vector<std::string> arguments;
    std::map<std::string, std::string> environment = {{"TERM", "xterm-256color"}};  ///< added
    unsigned short columns = 100;
    unsigned short rows = 24;
  };

  /// Starts the program in `folder`.
  TerminalProcess(const std::filesystem::path& folder, const Options& options);
  ~TerminalProcess();
  TerminalProcess(const TerminalProcess&) = delete;
  TerminalProcess& operator=(const TerminalProcess&) = delete;

  /// Presses keys: "\x03" is Ctrl-C.
  void Type(const std::string& keys) const;
  void Resize(unsigned short columns) const;

  /// Reads what is printed until `is_there` says yes of all of it. Returns false when the process
  /// ends or the time is over before.
  bool ReadUntil(const std::function<bool(const std::string&)>& is_there,
                 std::chrono::seconds at_most = std::chrono::seconds(60));
  /// Reads to the end and returns the exit code, 128 + signal when a signal ended it, -1 after the
  /// time is over.
  int Wait(std::chrono::seconds at_most = std::chrono::seconds(120));

  /// All that was printed so far. Line breaks are "\r\n", as a terminal gets them.
  const std::string& output() const { return output_; }

 private:
  pid_t child_ = -1;
  int terminal_ = -1;
  std::string output_;
};

}  // namespace df::e2e
