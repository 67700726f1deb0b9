// What the program prints beside its log.
#pragma once

#include <cstdio>
#include <string_view>

#include "base/error.h"

namespace df::app {

/// Writes a text to stdout or stderr and flushes it. A reader that has gone away (`| head`) has
/// read what it wanted: that is no error. Errors: io with the cause, as for a full disk.
Status PrintTo(std::FILE* stream, std::string_view text);

/// Prints to stdout for a command that does nothing else. Returns the exit code; what went wrong is
/// told on stderr.
int PrintAnswer(std::string_view text);

}  // namespace df::app
