#include "app/control/reply_fields.h"

#include <cmath>

#include "base/text.h"

namespace df::app {
namespace {

const nlohmann::json* Find(const nlohmann::json& object, const char* key) {
  if (!object.is_object()) {
    return nullptr;
  }
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

}  // namespace

std::string TextOf(const nlohmann::json& object, const char* key) {
  const nlohmann::json* found = Find(object, key);
  return found != nullptr && found->is_string() ? PrintableText(found->get<std::string>()) : "";
}

int64_t NumberOf(const nlohmann::json& object, const char* key) {
  const nlohmann::json* found = Find(object, key);
  if (found == nullptr || !found->is_number()) {
    return 0;
  }
  if (found->is_number_integer()) {
    return found->get<int64_t>();
  }
  constexpr double kLargest = 9e18;
  const auto real = found->get<double>();
  return std::abs(real) < kLargest ? static_cast<int64_t>(real) : 0;
}

bool FlagOf(const nlohmann::json& object, const char* key) {
  const nlohmann::json* found = Find(object, key);
  return found != nullptr && found->is_boolean() && found->get<bool>();
}

const nlohmann::json& PartsOf(const nlohmann::json& object, const char* key) {
  static const nlohmann::json nothing = nlohmann::json::array();
  const nlohmann::json* found = Find(object, key);
  return found != nullptr && found->is_structured() ? *found : nothing;
}

}  // namespace df::app
