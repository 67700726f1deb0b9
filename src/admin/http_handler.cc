#include "admin/http_handler.h"

#include <algorithm>
#include <exception>
#include <string>
#include <utility>
#include <variant>

#include <fmt/chrono.h>

#include "base/logging.h"

namespace df::admin {
namespace {

using runtime::http1::Find;
using runtime::http1::Request;
using runtime::http1::Response;

bool HasBody(const Request& request) {
  const std::string_view length = Find(request.headers, "Content-Length");
  return !Find(request.headers, "Transfer-Encoding").empty() ||
         length.find_first_not_of('0') != std::string_view::npos;
}

RequestHead HeadOf(const Request& request) {
  const auto header = [&request](std::string_view name) {
    return std::string(Find(request.headers, name));
  };
  return {.peer = request.peer,
          .method = request.method,
          .target = request.target,
          .host = header("Host"),
          .has_body = HasBody(request),
          .authorization = header("Authorization"),
          .origin = header("Origin"),
          .fetch_site = header("Sec-Fetch-Site"),
          .accept = header("Accept"),
          .content_type = header("Content-Type")};
}

/// The stable name of what a status refuses.
std::string_view CodeOf(int status) {
  switch (status) {
    case 408:
      return "timeout";
    case 413:
      return "body_too_large";
    case 431:
      return "header_too_large";
    case 503:
      return "too_many_connections";
    default:
      return "malformed_request";
  }
}

}  // namespace

Response HttpHandler::ResponseOf(Reply reply) const {
  Dispatcher::Finish(&reply);
  Response response;
  response.status = reply.status;
  response.headers.push_back(
      {"Date", fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT",
                           fmt::gmtime(std::chrono::system_clock::to_time_t(
                               std::chrono::time_point_cast<std::chrono::system_clock::duration>(
                                   loop_->clock().WallNow()))))});
  response.headers.push_back({"Content-Type", std::move(reply.content_type)});
  for (Header& header : reply.headers) {
    response.headers.push_back({std::move(header.first), std::move(header.second)});
  }
  response.body = std::move(reply.body);
  return response;
}

std::optional<Response> HttpHandler::Admit(const Request& head) {
  // A request without a body is refused by Respond, and the connection goes on.
  if (!HasBody(head)) {
    return std::nullopt;
  }
  std::variant<Reply, Call> admitted = dispatcher_.Admit(HeadOf(head));
  Reply* refusal = std::get_if<Reply>(&admitted);
  return refusal == nullptr ? std::nullopt : std::optional(ResponseOf(std::move(*refusal)));
}

runtime::Task<Response> HttpHandler::Respond(Request request) {
  std::variant<Reply, Call> admitted = dispatcher_.Admit(HeadOf(request));
  if (Reply* refusal = std::get_if<Reply>(&admitted)) {
    co_return ResponseOf(std::move(*refusal));
  }
  Call& call = std::get<Call>(admitted);
  call.body = std::move(request.body);
  Reply reply = co_await Await(dispatcher_.Handle(call));
  co_return ResponseOf(std::move(reply));
}

Response HttpHandler::Refuse(int status, std::string_view reason, const Request& /*head*/) {
  Reply refusal = ProblemReply(status, CodeOf(status), reason);
  if (status == 503) {
    refusal.headers.emplace_back("Retry-After", "1");
  }
  return ResponseOf(std::move(refusal));
}

runtime::Task<Reply> HttpHandler::Await(Answer answer) {
  const runtime::SteadyTime end = loop_->clock().Now() + answer.wait;
  while (answer.poll) {
    std::optional<Reply> reply;
    try {
      reply = answer.poll();
    } catch (const std::exception& error) {
      LogError("admin server: waiting for an operation failed: {}", error.what());
      reply = ProblemReply(500, "internal", "the request could not be handled");
    }
    if (reply) {
      co_return *std::move(reply);
    }
    const runtime::SteadyTime now = loop_->clock().Now();
    if (stopping_.is_requested() || now >= end) {
      break;
    }
    co_await loop_->SleepUntil(std::min<runtime::SteadyTime>(end, now + kPollInterval), &stopping_);
  }
  co_return std::move(answer.reply);
}

}  // namespace df::admin
