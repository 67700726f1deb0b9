// A line at the bottom of a terminal that is written over and over, with other lines above it.
#pragma once

#include <cstdio>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace df {

/// Calls: from any thread.
class TerminalLine {
 public:
  /// Owner: borrows the stream, which is a terminal when Show is called.
  explicit TerminalLine(std::FILE* stream) : stream_(stream) {}
  TerminalLine(const TerminalLine&) = delete;
  TerminalLine& operator=(const TerminalLine&) = delete;

  /// Replaces the line. `text` has no line break and fits into a row of the terminal.
  void Show(std::string_view text);
  /// Takes the line away.
  void Clear() { Show(""); }

  /// Calls `write`, which writes whole lines to the same terminal: they go above the line.
  void Above(const std::function<void()>& write);

 private:
  void Write(std::string_view text);

  std::FILE* stream_;
  std::mutex mutex_;
  std::string text_;
};

/// The one of standard error, where the log of the process goes too.
TerminalLine& StandardErrorLine();

}  // namespace df
