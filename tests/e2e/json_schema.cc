#include "json_schema.h"

#include <algorithm>
#include <regex>
#include <set>

namespace df::e2e {
namespace {

using nlohmann::json;

bool IsOfType(const json& value, const std::string& type) {
  return (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
         (type == "string" && value.is_string()) || (type == "null" && value.is_null()) ||
         (type == "boolean" && value.is_boolean()) ||
         (type == "integer" && value.is_number_integer()) ||
         (type == "number" && value.is_number());
}

class Check {
 public:
  explicit Check(const json& root) : root_(root) {}

  std::string Mismatch(const json& value, const json& schema, const std::string& path) const {
    static const std::set<std::string> kSilent = {"$schema", "$defs", "title", "description"};
    for (const auto& [keyword, rule] : schema.items()) {
      const std::string text =
          kSilent.contains(keyword) ? "" : Rule(value, schema, keyword, rule, path);
      if (!text.empty()) {
        return text;
      }
    }
    return "";
  }

 private:
  static std::string Unless(bool holds, const std::string& path, const std::string& keyword,
                            const json& value) {
    return holds ? "" : path + ": " + keyword + " does not allow " + value.dump().substr(0, 200);
  }

  std::string Rule(const json& value, const json& schema, const std::string& keyword,
                   const json& rule, const std::string& path) const {
    if (keyword == "$ref") {
      const std::string name = rule.get<std::string>().substr(std::string("#/$defs/").size());
      return Mismatch(value, root_.at("$defs").at(name), path);
    }
    if (keyword == "type") {
      const json types = rule.is_array() ? rule : json::array({rule});
      const bool holds = std::any_of(types.begin(), types.end(), [&](const json& type) {
        return IsOfType(value, type.get<std::string>());
      });
      return Unless(holds, path, keyword, value);
    }
    if (keyword == "const") {
      return Unless(value == rule, path, keyword, value);
    }
    if (keyword == "enum") {
      return Unless(std::find(rule.begin(), rule.end(), value) != rule.end(), path, keyword, value);
    }
    if (keyword == "minimum") {
      return Unless(!value.is_number() || value >= rule, path, keyword, value);
    }
    if (keyword == "pattern") {
      return Unless(!value.is_string() || std::regex_search(value.get<std::string>(),
                                                            std::regex(rule.get<std::string>())),
                    path, keyword, value);
    }
    if (keyword == "anyOf" || keyword == "oneOf") {
      const auto num_held = std::count_if(rule.begin(), rule.end(), [&](const json& option) {
        return Mismatch(value, option, path).empty();
      });
      return Unless(keyword == "anyOf" ? num_held > 0 : num_held == 1, path, keyword, value);
    }
    if (keyword == "items") {
      for (size_t i = 0; value.is_array() && i < value.size(); ++i) {
        std::string text = Mismatch(value[i], rule, path + "/" + std::to_string(i));
        if (!text.empty()) {
          return text;
        }
      }
      return "";
    }
    return value.is_object() ? ObjectRule(value, schema, keyword, rule, path) : "";
  }

  std::string ObjectRule(const json& value, const json& schema, const std::string& keyword,
                         const json& rule, const std::string& path) const {
    if (keyword == "required") {
      for (const json& key : rule) {
        if (!value.contains(key.get<std::string>())) {
          return path + ": " + key.get<std::string>() + " is missing";
        }
      }
      return "";
    }
    if (keyword != "properties" && keyword != "additionalProperties") {
      return path + ": the keyword " + keyword + " is not known";
    }
    const json named = schema.value("properties", json::object());
    for (const auto& [key, inner] : value.items()) {
      std::string text;
      if (keyword == "properties" && named.contains(key)) {
        text = Mismatch(inner, named.at(key), path + "/" + key);
      } else if (keyword == "additionalProperties" && !named.contains(key)) {
        text = rule == false ? path + ": " + key + " is not expected"
                             : Mismatch(inner, rule, path + "/" + key);
      }
      if (!text.empty()) {
        return text;
      }
    }
    return "";
  }

  const json& root_;
};

}  // namespace

std::string SchemaMismatch(const json& value, const json& schema) {
  return Check(schema).Mismatch(value, schema, "");
}

}  // namespace df::e2e
