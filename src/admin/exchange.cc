#include "admin/exchange.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "admin/status_json.h"

namespace df::admin {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// Takes "12:" from the front. Returns nothing, and takes nothing, when it does not begin so.
std::optional<int> TakeNumber(std::string_view* text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  const size_t length = static_cast<size_t>(end - text->data());
  if (error != std::errc() || length >= text->size() || *end != ':') {
    return std::nullopt;
  }
  text->remove_prefix(length + 1);
  return number;
}

RequestProblem SplitProblem(std::string_view line) {
  RequestProblem problem;
  // The name of the document may hold colons too: its place is the first ":12:34: ".
  for (size_t colon = line.find(':'); colon != std::string_view::npos;
       colon = line.find(':', colon + 1)) {
    std::string_view rest = line.substr(colon + 1);
    if (rest.empty() || !IsDigit(rest.front())) {
      continue;
    }
    const std::optional<int> line_number = TakeNumber(&rest);
    const std::optional<int> column = line_number ? TakeNumber(&rest) : std::nullopt;
    if (column && rest.starts_with(' ')) {
      problem.line = line_number;
      problem.column = column;
      line = rest.substr(1);
      break;
    }
  }
  const size_t separator = line.find(": ");
  if (problem.line && separator != std::string_view::npos &&
      line.substr(0, separator).find(' ') == std::string_view::npos) {
    problem.path = line.substr(0, separator);
    line.remove_prefix(separator + 2);
  }
  problem.message = line;
  return problem;
}

}  // namespace

std::string_view Name(Method method) {
  switch (method) {
    case Method::kGet:
      return "GET";
    case Method::kPut:
      return "PUT";
    case Method::kPost:
      return "POST";
    case Method::kDelete:
      return "DELETE";
  }
  return "";
}

Reply ProblemReply(int status, std::string_view code, std::string_view message,
                   const std::vector<RequestProblem>& problems) {
  nlohmann::ordered_json body = {{"status", status},
                                 {"code", code},
                                 {"message", message},
                                 {"problems", nlohmann::json::array()}};
  for (const RequestProblem& problem : problems) {
    nlohmann::ordered_json entry;
    if (problem.line) {
      entry["line"] = *problem.line;
      entry["column"] = problem.column.value_or(1);
    }
    entry["path"] = problem.path;
    entry["message"] = problem.message;
    body["problems"].push_back(std::move(entry));
  }
  return {.status = status, .content_type = std::string(kJson), .body = ToText(body)};
}

Reply StatusReply(const Status& status) {
  const std::string message = status.message();
  switch (status.code()) {
    case arrow::StatusCode::KeyError:
      return ProblemReply(404, "not_found", message);
    case arrow::StatusCode::AlreadyExists:
      return ProblemReply(409, "conflict", message);
    case arrow::StatusCode::Cancelled:
      return ProblemReply(503, "shutting_down", message);
    case arrow::StatusCode::Invalid: {
      const std::vector<RequestProblem> problems = SplitProblems(message);
      return ProblemReply(422, "invalid_document",
                          problems.size() == 1
                              ? "the document has a problem"
                              : fmt::format("the document has {} problems", problems.size()),
                          problems);
    }
    default:
      return ProblemReply(500, "internal", message);
  }
}

std::vector<RequestProblem> SplitProblems(std::string_view lines) {
  std::vector<RequestProblem> problems;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    if (end > 0) {
      problems.push_back(SplitProblem(lines.substr(0, end)));
    }
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return problems;
}

}  // namespace df::admin
