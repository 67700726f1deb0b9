// One stream to a server as messages, whatever carries them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "otap/schema.h"
#include "runtime/task.h"

namespace df::nodes::exporters::otap {

/// Owner: destroying it ends the stream at once if it has not ended.
/// Calls: one coroutine reads and one writes, at the same time. A coroutine that waits in either
/// may be destroyed.
class ClientStream {
 public:
  virtual ~ClientStream() = default;

  /// Sends a message; waits while too much waits to be sent. Returns false when the stream is
  /// closed.
  virtual runtime::Task<bool> Write(std::string message) = 0;

  /// Waits for a message of the server. Returns nothing when it has ended the stream in order.
  /// Errors: how the stream ended.
  virtual runtime::Task<Result<std::optional<std::string>>> Read() = 0;

  /// Tells the server that no more messages come.
  virtual void Finish() = 0;
};

/// Makes streams. Owner: outlives them.
class StreamOpener {
 public:
  virtual ~StreamOpener() = default;

  /// Waits until a stream of a signal can be written to. Errors: why there is none.
  virtual runtime::Task<Result<std::unique_ptr<ClientStream>>> Open(df::otap::Signal signal) = 0;
};

}  // namespace df::nodes::exporters::otap
