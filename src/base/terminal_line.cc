#include "base/terminal_line.h"

namespace df {
namespace {

constexpr std::string_view kClearRow = "\r\x1b[K";

}  // namespace

void TerminalLine::Write(std::string_view text) {
  // A terminal that is gone shows nothing, and nobody misses it.
  std::fwrite(text.data(), 1, text.size(), stream_);
  std::fflush(stream_);
}

void TerminalLine::Show(std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (text != text_) {
    Write(std::string(kClearRow) + std::string(text));
    text_ = text;
  }
}

void TerminalLine::Above(const std::function<void()>& write) {
  const std::lock_guard lock(mutex_);
  if (text_.empty()) {
    write();
    return;
  }
  Write(kClearRow);
  write();
  Write(text_);
}

TerminalLine& StandardErrorLine() {
  static TerminalLine line(stderr);
  return line;
}

}  // namespace df
