#include "app/standard_output.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "app/command.h"

namespace df::app {

Status PrintTo(std::FILE* stream, std::string_view text) {
  errno = 0;
  const bool is_written = std::fwrite(text.data(), 1, text.size(), stream) == text.size();
  if (is_written && std::fflush(stream) == 0) {
    return Status::OK();
  }
  const int cause = errno;
  std::clearerr(stream);
  if (cause == EPIPE) {
    return Status::OK();
  }
  return Status::IOError(fmt::format("cannot write to {}: {}",
                                     stream == stdout ? "stdout" : "stderr", std::strerror(cause)));
}

int PrintAnswer(std::string_view text) {
  const Status status = PrintTo(stdout, text);
  if (status.ok()) {
    return kExitClean;
  }
  // When that cannot be written either, the exit code has to do.
  const Status ignored = PrintTo(stderr, status.message() + "\n");
  return kExitFailed;
}

}  // namespace df::app
