#include "app/control/terminal_screen.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "app/standard_output.h"

namespace df::app {
namespace {

// What terminals of the kind of xterm understand, and that is all of them but the dumb ones.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l";
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";
constexpr std::string_view kToTop = "\x1b[H";
constexpr std::string_view kClearLine = "\x1b[K";
constexpr std::string_view kClearBelow = "\x1b[J";

constexpr size_t kUsualWidth = 120;
constexpr size_t kUsualHeight = 24;

winsize SizeNow() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) {
    size = {};
  }
  return size;
}

}  // namespace

bool TerminalScreen::IsThere() {
  const char* terminal = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

TerminalScreen::TerminalScreen() {
  // A terminal that takes nothing takes no drawing either, which says so.
  const Status ignored = PrintTo(stdout, kEnter);
}

TerminalScreen::~TerminalScreen() { const Status ignored = PrintTo(stdout, kLeave); }

size_t TerminalScreen::Width() {
  const size_t width = SizeNow().ws_col;
  return width > 0 ? width : kUsualWidth;
}

Status TerminalScreen::Draw(const std::string& lines) const {
  const size_t height = SizeNow().ws_row > 0 ? SizeNow().ws_row : kUsualHeight;
  const auto num_lines = static_cast<size_t>(std::count(lines.begin(), lines.end(), '\n'));
  const size_t num_shown = num_lines <= height ? num_lines : height - 1;
  std::string drawn(kToTop);
  size_t begin = 0;
  for (size_t i = 0; i < num_shown; ++i) {
    const size_t end = lines.find('\n', begin);
    drawn += i == 0 ? "" : "\r\n";
    drawn += lines.substr(begin, end - begin);
    drawn += kClearLine;
    begin = end + 1;
  }
  if (num_shown < num_lines) {
    drawn += fmt::format("\r\n{} more lines{}", num_lines - num_shown, kClearLine);
  }
  drawn += kClearBelow;
  return PrintTo(stdout, drawn);
}

}  // namespace df::app
