// Asks the admin server of a running engine.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "app/control/admin_flags.h"
#include "base/error.h"
#include "runtime/event_loop.h"
#include "runtime/http1/message.h"
#include "runtime/task.h"

namespace df::app {

struct AdminRequest {
  std::string method = "GET";
  std::string target;
  std::string body;
  std::string content_type;  ///< of the body; empty: there is none
  /// How long the server may take. What it takes to send an answer comes on top.
  std::chrono::nanoseconds wait{0};
  bool is_text = false;  ///< the answer is text, not JSON
  int64_t max_reply_bytes = 16 << 20;
};

struct AdminReply {
  int status = 200;
  std::string body;
  nlohmann::json json;  ///< of a reply that is JSON; discarded otherwise

  bool is_refusal() const { return status >= 400; }
};

/// Knows a server, and makes a connection for each request. Calls: one thread.
class AdminClient {
 public:
  explicit AdminClient(AdminAccess access) : access_(std::move(access)) {}

  /// Asks, and waits for the whole answer. A refusal of what was asked for is a
  /// reply. Errors: kind io where nobody answers, keys are not agreed on, the token is missing or
  /// wrong, or who answers is no admin server of df_engine.
  runtime::Task<Result<AdminReply>> Ask(runtime::EventLoop* loop, AdminRequest request) const;

  /// The same, waiting on the thread that calls with a loop of its own.
  Result<AdminReply> AskAndWait(const AdminRequest& request) const;

  /// As AskAndWait; a refusal is an error too, as RefusalOf tells it.
  Result<AdminReply> Get(const std::string& target, bool is_text = false) const;

  /// Returns "http://HOST:PORT".
  std::string address() const;

 private:
  Result<AdminReply> Read(const AdminRequest& request, runtime::http1::Response response) const;
  Status Explain(const Status& status) const;
  Status NotTrusted(int status) const;

  AdminAccess access_;
};

/// Says what a server has refused: its message, or each problem of a document on a line of its own,
/// "NAME:3:5: path: what". KeyError for 404, Invalid for 400, 413, 415 and 422, io for the rest.
Status RefusalOf(const AdminReply& reply, const std::string& name);

/// Returns a name as it may stand in a path.
std::string PathSegment(std::string_view name);

}  // namespace df::app
