// The routes of the server behind an HTTP server.
#pragma once

#include <optional>
#include <string_view>

#include "admin/dispatcher.h"
#include "admin/exchange.h"
#include "runtime/event_loop.h"
#include "runtime/http1/server.h"

namespace df::admin {

inline constexpr std::chrono::milliseconds kPollInterval{20};

/// Calls: the loop.
class HttpHandler final : public runtime::http1::RequestHandler {
 public:
  /// `loop` is borrowed.
  HttpHandler(runtime::EventLoop* loop, Dispatcher dispatcher)
      : loop_(loop), dispatcher_(std::move(dispatcher)) {}

  std::optional<runtime::http1::Response> Admit(const runtime::http1::Request& head) override;
  runtime::Task<runtime::http1::Response> Respond(runtime::http1::Request request) override;
  runtime::http1::Response Refuse(int status, std::string_view reason,
                                  const runtime::http1::Request& head) override;

  /// From now on an answer that is not there yet is not waited for.
  void Stop() { stopping_.Request(); }

 private:
  runtime::Task<Reply> Await(Answer answer);
  runtime::http1::Response ResponseOf(Reply reply) const;

  runtime::EventLoop* loop_;
  Dispatcher dispatcher_;
  runtime::Cancellation stopping_;
};

}  // namespace df::admin
