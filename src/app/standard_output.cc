#include "app/standard_output.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <unistd.h>

#include "app/answer_capture.h"
#include "app/commands/exit_codes.h"

namespace df::app {

namespace {

/// Writes and flushes; 0, or errno.
int WriteAll(std::FILE* stream, std::string_view text) {
  errno = 0;
  const bool is_written = std::fwrite(text.data(), 1, text.size(), stream) == text.size();
  if (is_written && std::fflush(stream) == 0) {
    return 0;
  }
  const int cause = errno;
  std::clearerr(stream);
  return cause == 0 ? EIO : cause;
}

Status Failure(std::FILE* stream, int cause) {
  return Status::IOError(fmt::format("cannot write to {}: {}",
                                     stream == stdout ? "stdout" : "stderr", std::strerror(cause)));
}

}  // namespace

Status PrintTo(std::FILE* stream, std::string_view text) {
  const int cause = WriteAll(stream, text);
  return cause == 0 || cause == EPIPE ? Status::OK() : Failure(stream, cause);
}

Status AnswerWriter::Add(std::string_view text) {
  constexpr size_t kMuch = 64 << 10;
  gathered_ += text;
  return gathered_.size() < kMuch ? Status::OK() : Flush();
}

Status AnswerWriter::Flush() {
  const int cause = has_no_reader_ || gathered_.empty() ? 0 : WriteAll(stream_, gathered_);
  gathered_.clear();
  has_no_reader_ = has_no_reader_ || cause == EPIPE;
  return cause == 0 || cause == EPIPE ? Status::OK() : Failure(stream_, cause);
}

bool TakesColor(std::FILE* stream) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return isatty(fileno(stream)) == 1 && (no_color == nullptr || *no_color == '\0') &&
         terminal != nullptr && std::string_view(terminal) != "dumb";
}

int PrintAnswer(std::string_view text) {
  if (AnswerCapture::Take(text)) {
    return kExitClean;
  }
  const Status status = PrintTo(stdout, text);
  if (status.ok()) {
    return kExitClean;
  }
  // When that cannot be written either, the exit code has to do.
  const Status ignored = PrintTo(stderr, status.message() + "\n");
  return kExitFailed;
}

}  // namespace df::app
