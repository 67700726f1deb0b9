// One stream of a client as messages, whatever carries them.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "otap_wire/message.h"
#include "runtime/task.h"

namespace df::nodes::receivers::otap {

/// Calls: one coroutine reads and one writes, at the same time. A coroutine that waits in either
/// may be destroyed.
class MessageStream {
 public:
  virtual ~MessageStream() = default;

  /// Waits for a message of the client. Returns nothing when it has sent all that it wanted to.
  /// Errors: why the stream cannot be read any further.
  virtual runtime::Task<Result<std::optional<std::string>>> Read() = 0;

  /// Sends a message. Returns false when the stream is closed.
  virtual runtime::Task<bool> Write(std::string message) = 0;
};

/// How the server ends a stream.
struct StreamEnd {
  otap_wire::StatusCode code = otap_wire::StatusCode::kOk;
  std::string message;
};

}  // namespace df::nodes::receivers::otap
