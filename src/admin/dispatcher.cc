#include "admin/dispatcher.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "admin/target.h"
#include "base/logging.h"
#include "base/text.h"

namespace df::admin {
namespace {

bool ChangesSomething(std::string_view method) { return method != "GET" && method != "HEAD"; }

/// Checks the body that is announced. Returns a refusal, or nothing.
std::optional<Reply> CheckBody(const Route& route, const RequestHead& head,
                               const std::string& body_type) {
  if (route.body_types.empty()) {
    if (head.has_body) {
      return ProblemReply(400, "unexpected_body", "this request has no body");
    }
    return std::nullopt;
  }
  if (!head.has_body) {
    return ProblemReply(400, "missing_body", "this request needs a body");
  }
  const auto& types = route.body_types;
  if (std::find(types.begin(), types.end(), body_type) == types.end()) {
    Reply reply =
        ProblemReply(415, "unsupported_media_type",
                     fmt::format("the Content-Type has to be one of {}", fmt::join(types, ", ")));
    reply.headers.emplace_back("Accept", fmt::format("{}", fmt::join(types, ", ")));
    return reply;
  }
  return std::nullopt;
}

Reply Unauthorized() {
  Reply reply = ProblemReply(401, "unauthorized", "this server asks for a bearer token");
  reply.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"df_engine\"");
  return reply;
}

Reply NoRoute(const Match& match) {
  if (match.allowed_methods.empty()) {
    return ProblemReply(404, "not_found", "there is no such path; /api/v1/openapi.json has them");
  }
  Reply reply = ProblemReply(405, "method_not_allowed",
                             fmt::format("this path takes {}", match.allowed_methods));
  reply.headers.emplace_back("Allow", match.allowed_methods);
  return reply;
}

/// The type that a Content-Type header names, other spellings of YAML among it.
std::string BodyType(std::string_view content_type) {
  std::string type = MediaTypeOf(content_type);
  if (type == "application/x-yaml" || type == "text/yaml" || type == "text/x-yaml") {
    type = kYaml;
  }
  return type;
}

/// Returns " group/pipeline" of a call that has them in its path.
std::string NamesOf(const Call& call) {
  std::string names;
  for (const auto& [name, value] : call.path_parameters) {
    names += (names.empty() ? " " : "/") + PrintableText(value);
  }
  return names;
}

}  // namespace

std::variant<Reply, Call> Dispatcher::Admit(const RequestHead& head) const {
  std::variant<Reply, Call> admitted = Check(head);
  const Reply* refusal = std::get_if<Reply>(&admitted);
  if (refusal != nullptr && (refusal->status == 401 || refusal->status == 403)) {
    LogWarning("admin server: {} {} from {} was refused: {}", PrintableText(head.method),
               PrintableText(head.target), head.peer, refusal->status);
  }
  return admitted;
}

std::variant<Reply, Call> Dispatcher::Check(const RequestHead& head) const {
  Result<Target> target = ParseTarget(head.target);
  if (!target.ok()) {
    return ProblemReply(400, "malformed_request", target.status().message());
  }
  if (auto refusal = access_.CheckOrigin(head, ChangesSomething(head.method))) {
    return *std::move(refusal);
  }
  Match match = FindRoute(head.method, target->path);
  const bool is_trusted = access_.IsTrusted(head);
  // Before 404 and 405: which paths there are is told to nobody else either.
  if (!is_trusted && (match.route == nullptr || !match.route->is_open)) {
    return Unauthorized();
  }
  if (match.route == nullptr) {
    return NoRoute(match);
  }
  const std::vector<RequestProblem> problems = CheckQuery(*match.route, target->query);
  if (!problems.empty()) {
    return ProblemReply(400, "invalid_parameter", "the query has wrong parameters", problems);
  }
  Call call;
  call.media_type = ChooseMediaType(head.accept, match.route->produces);
  const bool has_format =
      std::any_of(target->query.begin(), target->query.end(),
                  [](const auto& parameter) { return parameter.first == kFormatParameter; });
  if (call.media_type.empty() && !has_format) {
    return ProblemReply(406, "not_acceptable",
                        fmt::format("this path gives {}", fmt::join(match.route->produces, ", ")));
  }
  call.body_type = BodyType(head.content_type);
  if (auto refusal = CheckBody(*match.route, head, call.body_type)) {
    return *std::move(refusal);
  }
  call.route = match.route;
  call.path_parameters = std::move(match.path_parameters);
  call.query = std::move(target->query);
  call.is_trusted = is_trusted;
  call.peer = head.peer;
  return call;
}

Answer Dispatcher::Handle(const Call& call) {
  try {
    Answer answer = call.route->handler(call, engine_);
    if (call.route->method != Method::kGet) {
      LogInfo("admin server: {}{} from {}: {}", call.route->operation_id, NamesOf(call), call.peer,
              answer.poll ? "in progress" : std::to_string(answer.reply.status));
    }
    return answer;
  } catch (const std::exception& error) {
    LogError("admin server: {} from {} failed: {}", call.route->operation_id, call.peer,
             error.what());
    return {.reply = ProblemReply(500, "internal", "the request could not be handled")};
  }
}

void Dispatcher::Finish(Reply* reply) {
  const auto has = [reply](std::string_view name) {
    return std::any_of(reply->headers.begin(), reply->headers.end(),
                       [name](const Header& header) { return header.first == name; });
  };
  if (!has("Content-Security-Policy")) {
    reply->headers.emplace_back("Content-Security-Policy",
                                "default-src 'none'; frame-ancestors 'none'");
  }
  reply->headers.emplace_back("Cache-Control", "no-store");
  reply->headers.emplace_back("X-Content-Type-Options", "nosniff");
  reply->headers.emplace_back("X-Frame-Options", "DENY");
  reply->headers.emplace_back("Referrer-Policy", "no-referrer");
  reply->headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
}

}  // namespace df::admin
