// A screen of a terminal that is drawn again and again.
#pragma once

#include <cstddef>
#include <string>

#include "base/error.h"

namespace df::app {

/// Takes the other screen of the terminal on stdout. Owner: the destructor gives the first one back
/// as it was.
class TerminalScreen {
 public:
  /// Tells whether stdout is a terminal that can be drawn on.
  static bool IsThere();

  TerminalScreen();
  ~TerminalScreen();
  TerminalScreen(const TerminalScreen&) = delete;
  TerminalScreen& operator=(const TerminalScreen&) = delete;

  /// Draws whole lines from the top; those that do not fit are counted in the last one. Errors: as
  /// PrintTo.
  Status Draw(const std::string& lines) const;

  /// Returns characters of a line of the terminal now, or of one as people have it.
  static size_t Width();
};

}  // namespace df::app
