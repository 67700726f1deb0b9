// Requests and replies as handlers see them: no socket, no parser.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace df::admin {

enum class Method : uint8_t { kGet, kPut, kPost, kDelete };

/// Returns "GET", "PUT", ...
std::string_view Name(Method method);

inline constexpr std::string_view kJson = "application/json";
inline constexpr std::string_view kYaml = "application/yaml";
inline constexpr std::string_view kHtml = "text/html";
inline constexpr std::string_view kPrometheus = "text/plain";
inline constexpr std::string_view kOpenMetrics = "application/openmetrics-text";

/// What a client has said before its body. Source: the wire, nothing is trusted.
struct RequestHead {
  std::string peer;    ///< "HOST:PORT" of the client, of the socket
  std::string method;  ///< as sent; HEAD is answered as GET is, without the body
  std::string target;
  std::string host;  ///< whom the client means to ask
  bool has_body = false;
  std::string authorization;
  std::string origin;
  std::string fetch_site;
  std::string accept;
  std::string content_type;
};

using Header = std::pair<std::string, std::string>;

struct Reply {
  int status = 200;
  std::string content_type;
  std::string body;
  std::vector<Header> headers;  ///< beside those that every reply has
};

/// A reply, or a reply that is not there yet.
struct Answer {
  Reply reply;
  /// Set: asked every kPollInterval until it gives a reply. After `wait`, and when the server
  /// stops, `reply` is sent.
  std::function<std::optional<Reply>()> poll;
  std::chrono::nanoseconds wait{0};
};

/// One thing that is wrong with a request or with a document in it.
struct RequestProblem {
  std::optional<int> line;  ///< of the body, from 1
  std::optional<int> column;
  std::string path;  ///< key path, or the name of a parameter; may be empty
  std::string message;
};

/// A refusal as JSON: {status, code, message, problems[]}. `code` is stable.
Reply ProblemReply(int status, std::string_view code, std::string_view message,
                   const std::vector<RequestProblem>& problems = {});

/// What the control plane refused, as a reply: 404 not_found, 409 conflict, 422 invalid_document
/// with every problem, 503 shutting_down; anything else is a 500.
Reply StatusReply(const Status& status);

/// Splits lines "document:line:column: path: message"; a line of another form is all message.
std::vector<RequestProblem> SplitProblems(std::string_view lines);

}  // namespace df::admin
