// From a request to its answer, without a socket.
#pragma once

#include <string>
#include <variant>

#include "admin/access.h"
#include "admin/engine_view.h"
#include "admin/exchange.h"
#include "admin/routes.h"

namespace df::admin {

/// Calls: on the thread of the server.
class Dispatcher {
 public:
  Dispatcher(AccessPolicy access, EngineView engine)
      : access_(std::move(access)), engine_(std::move(engine)) {}

  /// Checks everything that can be checked before the body is read: a refusal, or a call that
  /// waits for its body. Who is refused for want of trust is named in the log.
  std::variant<Reply, Call> Admit(const RequestHead& head) const;

  /// Runs the handler. A handler that throws becomes a 500.
  Answer Handle(const Call& call);

  /// Adds the headers that every reply has.
  static void Finish(Reply* reply);

 private:
  std::variant<Reply, Call> Check(const RequestHead& head) const;

  AccessPolicy access_;
  EngineView engine_;
};

}  // namespace df::admin
