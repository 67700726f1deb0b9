#include "admin/routes.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"

namespace df::admin {
namespace {

// Longer than any operation; it keeps sums with the clock from overflowing.
constexpr int64_t kMaxSeconds = 24 * 60 * 60;

/// Compares a path with a template segment by segment. Returns whether it fits.
bool Fits(std::string_view path_template, std::span<const std::string> path,
          std::vector<std::pair<std::string_view, std::string>>* parameters) {
  parameters->clear();
  for (const std::string& segment : path) {
    if (path_template.empty()) {
      return false;
    }
    path_template.remove_prefix(1);
    const size_t end = std::min(path_template.find('/'), path_template.size());
    const std::string_view rule = path_template.substr(0, end);
    path_template.remove_prefix(end);
    if (!rule.starts_with('{')) {
      if (rule != segment) {
        return false;
      }
    } else if (segment.empty()) {
      return false;
    } else {
      parameters->emplace_back(rule.substr(1, rule.size() - 2), segment);
    }
  }
  return path_template.empty();
}

std::optional<int64_t> ParseNumber(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return number;
}

/// Returns what is wrong with the value, or "".
std::string CheckValue(const ParameterRule& rule, const std::string& value) {
  switch (rule.type) {
    case ParameterRule::Type::kFlag:
      return value == "true" || value == "false" || value.empty()
                 ? ""
                 : fmt::format("found '{}', expected true or false", value);
    case ParameterRule::Type::kDuration: {
      const Result<std::chrono::nanoseconds> duration = ParseDuration(value);
      if (!duration.ok()) {
        return duration.status().message();
      }
      const std::chrono::seconds longest(std::min(rule.max, kMaxSeconds));
      return *duration <= longest
                 ? ""
                 : fmt::format("found '{}', expected at most {}", value, FormatDuration(longest));
    }
    case ParameterRule::Type::kNumber: {
      const std::optional<int64_t> number = ParseNumber(value);
      return number && *number >= rule.min && *number <= rule.max
                 ? ""
                 : fmt::format("found '{}', expected a whole number from {} to {}", value, rule.min,
                               rule.max);
    }
    case ParameterRule::Type::kChoice:
      return std::find(rule.choices.begin(), rule.choices.end(), value) != rule.choices.end()
                 ? ""
                 : fmt::format("found '{}', expected one of {}", value,
                               fmt::join(rule.choices, ", "));
  }
  return "";
}

const ParameterRule* FindRule(const Route& route, std::string_view name) {
  const auto found = std::find_if(route.parameters.begin(), route.parameters.end(),
                                  [name](const ParameterRule& rule) { return rule.name == name; });
  return found == route.parameters.end() ? nullptr : &*found;
}

}  // namespace

const std::string& Call::PathParameter(std::string_view name) const {
  static const std::string none;
  const auto found =
      std::find_if(path_parameters.begin(), path_parameters.end(),
                   [name](const auto& parameter) { return parameter.first == name; });
  return found == path_parameters.end() ? none : found->second;
}

std::string Call::Text(std::string_view parameter) const {
  for (const auto& [name, value] : query) {
    if (name == parameter) {
      return value;
    }
  }
  const ParameterRule* rule = FindRule(*route, parameter);
  return rule == nullptr ? "" : std::string(rule->default_value);
}

bool Call::Flag(std::string_view parameter) const {
  const std::string text = Text(parameter);
  return text == "true" || text.empty();
}

int64_t Call::Number(std::string_view parameter) const {
  return ParseNumber(Text(parameter)).value_or(0);
}

std::chrono::nanoseconds Call::Duration(std::string_view parameter) const {
  return ParseDuration(Text(parameter)).ValueOr(std::chrono::nanoseconds(0));
}

bool Call::Has(std::string_view parameter) const {
  return std::any_of(query.begin(), query.end(),
                     [parameter](const auto& pair) { return pair.first == parameter; });
}

Match FindRoute(std::string_view method, std::span<const std::string> path) {
  Match match;
  std::vector<std::pair<std::string_view, std::string>> parameters;
  for (const Route& route : Routes()) {
    if (!Fits(route.path, path, &parameters)) {
      continue;
    }
    const bool is_get = route.method == Method::kGet;
    match.allowed_methods += fmt::format("{}{}{}", match.allowed_methods.empty() ? "" : ", ",
                                         Name(route.method), is_get ? ", HEAD" : "");
    if (method == Name(route.method) || (is_get && method == "HEAD")) {
      match.route = &route;
      match.path_parameters = parameters;
    }
  }
  return match;
}

std::vector<RequestProblem> CheckQuery(const Route& route,
                                       std::span<const std::pair<std::string, std::string>> query) {
  std::vector<RequestProblem> problems;
  for (const auto& [name, value] : query) {
    const ParameterRule* rule = FindRule(route, name);
    const std::string problem =
        rule == nullptr ? "there is no such parameter" : CheckValue(*rule, value);
    if (!problem.empty()) {
      problems.push_back({.path = name, .message = problem});
    }
  }
  return problems;
}

}  // namespace df::admin
