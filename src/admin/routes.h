// Every route of the server as data: requests are routed by this table and the OpenAPI document is
// written from it.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/engine_view.h"
#include "admin/exchange.h"

namespace df::admin {

struct Call;

/// A parameter of this name counts before the Accept header.
inline constexpr std::string_view kFormatParameter = "format";

/// A query parameter. Values are checked before a handler is called.
struct ParameterRule {
  enum class Type : uint8_t { kFlag, kDuration, kNumber, kChoice };
  std::string_view name;
  Type type = Type::kFlag;
  std::string_view default_value;
  std::string_view description;
  std::span<const std::string_view> choices;  ///< kChoice
  int64_t min = 0;                            ///< kNumber
  int64_t max = INT64_MAX;                    ///< kNumber; seconds of kDuration, 0..86400
};

/// A reply that a route may give beside those that every route may give.
struct ResponseRule {
  int status = 200;
  std::string_view description;
  std::string_view schema;  ///< of kJson, a name of SchemasText; empty: any JSON
};

struct Route {
  Method method = Method::kGet;
  std::string_view path;  ///< "/a/{name}": a segment in braces takes any text that is not empty
  std::string_view operation_id;
  std::string_view summary;
  bool is_open = false;                          ///< answers without the token
  std::span<const ParameterRule> parameters;     ///< of the query
  std::span<const std::string_view> body_types;  ///< empty: the request has no body
  std::string_view body_schema;                  ///< a name of SchemasText; empty: any
  std::span<const std::string_view> produces;    ///< media types of what is no refusal
  std::span<const ResponseRule> responses;
  Answer (*handler)(const Call& call, EngineView& engine) = nullptr;
};

/// A request that fits a route. Owner: the values are its own, names point into the table.
struct Call {
  const Route* route = nullptr;
  std::vector<std::pair<std::string_view, std::string>> path_parameters;
  std::vector<std::pair<std::string, std::string>> query;  ///< checked
  std::string_view media_type;                             ///< to answer with
  std::string body;
  std::string body_type;  ///< without parameters
  bool is_trusted = true;
  std::string peer;  ///< "HOST:PORT" of the client

  const std::string& PathParameter(std::string_view name) const;
  /// Each returns what the query says, or the default of the table.
  std::string Text(std::string_view parameter) const;
  bool Flag(std::string_view parameter) const;
  int64_t Number(std::string_view parameter) const;
  std::chrono::nanoseconds Duration(std::string_view parameter) const;
  bool Has(std::string_view parameter) const;
};

std::span<const Route> Routes();

/// What a method and a path lead to.
struct Match {
  const Route* route = nullptr;  ///< null: no route
  std::vector<std::pair<std::string_view, std::string>> path_parameters;
  std::string allowed_methods;  ///< of the path; empty: there is no such path
};

/// `method` as sent; HEAD finds what GET finds.
Match FindRoute(std::string_view method, std::span<const std::string> path);

/// Checks the query against the table. Returns what is wrong with it.
std::vector<RequestProblem> CheckQuery(const Route& route,
                                       std::span<const std::pair<std::string, std::string>> query);

}  // namespace df::admin
