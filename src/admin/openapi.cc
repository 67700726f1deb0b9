#include "admin/openapi.h"

#include <array>

#include <fmt/format.h>

#include "admin/routes.h"
#include "admin/status_json.h"

namespace df::admin {
namespace {

/// Replies that any route may give: what is wrong is found before the route has its say.
constexpr std::array kCommonResponses = {
    ResponseRule{400, "the request is malformed, or a parameter is wrong", "Problem"},
    ResponseRule{401, "the server asks for a bearer token and the request does not show it",
                 "Problem"},
    ResponseRule{403, "the Host or Origin header names another site", "Problem"},
    ResponseRule{406, "the Accept header takes nothing that the route can give", "Problem"},
    ResponseRule{408, "the request did not arrive in time", "Problem"},
    ResponseRule{413, "the body is too large", "Problem"},
    ResponseRule{431, "the header is too large", "Problem"},
    ResponseRule{500, "a defect of the engine", "Problem"},
    ResponseRule{503, "too many connections, or the engine is shutting down", "Problem"},
};

Json SchemaReference(std::string_view name) {
  return {{"$ref", fmt::format("#/components/schemas/{}", name)}};
}

Json ParameterSchema(const ParameterRule& rule) {
  Json schema;
  switch (rule.type) {
    case ParameterRule::Type::kFlag:
      return {{"type", "boolean"}, {"default", rule.default_value == "true"}};
    case ParameterRule::Type::kDuration:
      return {{"type", "string"},
              {"default", rule.default_value},
              {"description", "a number with a unit: 250ms, 10s, 5min"}};
    case ParameterRule::Type::kNumber:
      return {{"type", "integer"},
              {"default", std::stoll(std::string(rule.default_value))},
              {"minimum", rule.min},
              {"maximum", rule.max}};
    case ParameterRule::Type::kChoice:
      schema = {{"type", "string"}, {"enum", Json::array()}};
      for (const std::string_view choice : rule.choices) {
        schema["enum"].push_back(choice);
      }
      if (!rule.default_value.empty()) {
        schema["default"] = rule.default_value;
      }
      return schema;
  }
  return schema;
}

Json Parameters(const Route& route) {
  Json parameters = Json::array();
  std::string_view rest = route.path;
  for (size_t open = rest.find('{'); open != std::string_view::npos; open = rest.find('{')) {
    const size_t close = rest.find('}', open);
    parameters.push_back(Json{{"name", rest.substr(open + 1, close - open - 1)},
                              {"in", "path"},
                              {"required", true},
                              {"schema", Json{{"type", "string"}, {"minLength", 1}}}});
    rest.remove_prefix(close);
  }
  for (const ParameterRule& rule : route.parameters) {
    parameters.push_back(Json{{"name", rule.name},
                              {"in", "query"},
                              {"required", false},
                              {"description", rule.description},
                              {"schema", ParameterSchema(rule)}});
  }
  return parameters;
}

Json Response(const Route& route, const ResponseRule& rule) {
  Json response = {{"description", rule.description}, {"content", Json::object()}};
  // Refusals and what has a schema are JSON; only what is asked for comes in other types.
  if (rule.status >= 400 || !rule.schema.empty()) {
    response["content"][kJson]["schema"] = SchemaReference(rule.schema);
    return response;
  }
  for (const std::string_view type : route.produces) {
    response["content"][type] = Json::object();
  }
  return response;
}

Json Operation(const Route& route) {
  Json operation = {{"operationId", route.operation_id},
                    {"summary", route.summary},
                    {"parameters", Parameters(route)}};
  if (!route.body_types.empty()) {
    operation["requestBody"] = {{"required", true}, {"content", Json::object()}};
    for (const std::string_view type : route.body_types) {
      Json& content = operation["requestBody"]["content"][type];
      content = Json::object();
      if (!route.body_schema.empty()) {
        content["schema"] = SchemaReference(route.body_schema);
      }
    }
  }
  Json responses = Json::object();
  for (const ResponseRule& rule : route.responses) {
    responses[std::to_string(rule.status)] = Response(route, rule);
  }
  for (const ResponseRule& rule : kCommonResponses) {
    const std::string status = std::to_string(rule.status);
    if (!responses.contains(status)) {
      responses[status] = {{"$ref", fmt::format("#/components/responses/{}", status)}};
      continue;
    }
    // The route gives the status a meaning of its own beside the common one.
    Json& schema = responses[status]["content"][kJson]["schema"];
    if (schema != SchemaReference(rule.schema)) {
      schema = {{"anyOf", Json::array({schema, SchemaReference(rule.schema)})}};
    }
  }
  operation["responses"] = std::move(responses);
  if (route.is_open) {
    operation["security"] = Json::array();
  }
  return operation;
}

std::string_view LowerName(Method method) {
  switch (method) {
    case Method::kGet:
      return "get";
    case Method::kPut:
      return "put";
    case Method::kPost:
      return "post";
    case Method::kDelete:
      return "delete";
  }
  return "";
}

Json Build() {
  Json document = {
      {"openapi", "3.1.0"},
      {"info", Json{{"title", "df_engine admin API"},
                    {"version", "1"},
                    {"description",
                     "What may be asked of a running engine. HEAD is answered wherever GET is."}}},
      {"security", Json::array({Json{{"bearer", Json::array()}}, Json::object()})},
      {"paths", Json::object()}};
  for (const Route& route : Routes()) {
    document["paths"][route.path][LowerName(route.method)] = Operation(route);
  }
  Json responses = Json::object();
  for (const ResponseRule& rule : kCommonResponses) {
    responses[std::to_string(rule.status)] = {
        {"description", rule.description},
        {"content", Json{{kJson, Json{{"schema", SchemaReference(rule.schema)}}}}}};
  }
  document["components"] = {
      {"securitySchemes",
       Json{{"bearer", Json{{"type", "http"},
                            {"scheme", "bearer"},
                            {"description", "where the engine's document names a token file"}}}}},
      {"responses", std::move(responses)},
      {"schemas", Json::parse(SchemasText())}};
  return document;
}

}  // namespace

const std::string& OpenApiText() {
  static const std::string text = ToText(Build());
  return text;
}

}  // namespace df::admin
