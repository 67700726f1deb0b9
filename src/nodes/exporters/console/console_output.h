// Where the console exporters of all cores print.
#pragma once

#include <mutex>
#include <string_view>

#include "base/error.h"
#include "engine/node_config.h"

namespace df::nodes::exporters::console {

/// Writes whole blocks to a file descriptor, so that those of several cores do not mix.
/// Owner: borrows the descriptor. Synchronises itself.
class ConsoleOutput final : public engine::NodeShared {
 public:
  explicit ConsoleOutput(int descriptor) : descriptor_(descriptor) {}

  /// Writes a block. Errors: kind io; part of the block may have been written.
  Status Write(std::string_view block);

  /// Tells whether this is a terminal that colours are for: not a dumb one, NO_COLOR not set.
  bool takes_color() const;

 private:
  std::mutex mutex_;
  int descriptor_;
};

}  // namespace df::nodes::exporters::console
