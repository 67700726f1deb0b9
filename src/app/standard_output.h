// What the program prints beside its log.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "base/error.h"

namespace df::app {

/// Writes a text to stdout or stderr and flushes it. A reader that has gone away (`| head`) has
/// read what it wanted: that is no error. Errors: io with the cause, as for a full disk.
Status PrintTo(std::FILE* stream, std::string_view text);

/// Prints to stdout for a command that does nothing else. Returns the exit code; what went wrong is
/// told on stderr.
int PrintAnswer(std::string_view text);

/// Collects what a command prints, piece by piece. Calls: from one thread.
class AnswerWriter {
 public:
  /// Owner: borrows the stream.
  explicit AnswerWriter(std::FILE* stream = stdout) : stream_(stream) {}

  /// Adds a text; writes when much has gathered. Errors: as PrintTo.
  Status Add(std::string_view text);
  /// Writes what is left. Errors: as PrintTo.
  Status Flush();
  /// Tells whether the reader has gone away: nothing more needs to be found out for it.
  bool has_no_reader() const { return has_no_reader_; }

 private:
  std::FILE* stream_;
  std::string gathered_;
  bool has_no_reader_ = false;
};

/// Tells whether a stream is a terminal that colours are for: not a dumb one, NO_COLOR not set.
bool TakesColor(std::FILE* stream);

}  // namespace df::app
