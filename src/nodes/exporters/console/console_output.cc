#include "nodes/exporters/console/console_output.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <unistd.h>

namespace df::nodes::exporters::console {

Status ConsoleOutput::Write(std::string_view block) {
  const std::lock_guard lock(mutex_);
  while (!block.empty()) {
    const ssize_t written = write(descriptor_, block.data(), block.size());
    if (written >= 0) {
      block.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR) {
      return MakeError(ErrorKind::kIo,
                       fmt::format("cannot print to the console: {}", std::strerror(errno)), {},
                       true);
    }
  }
  return Status::OK();
}

bool ConsoleOutput::takes_color() const {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool is_wanted = no_color == nullptr || *no_color == '\0';
  const bool is_able = terminal != nullptr && std::string_view(terminal) != "dumb";
  return is_wanted && is_able && isatty(descriptor_) == 1;
}

}  // namespace df::nodes::exporters::console
