// Fields of replies. What is missing, or is something else than expected, counts as nothing.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

namespace df::app {

/// Returns a text as it may be printed on one line; "" without one.
std::string TextOf(const nlohmann::json& object, const char* key);

/// Returns a whole number, a fraction cut off; 0 without one.
int64_t NumberOf(const nlohmann::json& object, const char* key);

bool FlagOf(const nlohmann::json& object, const char* key);

/// Returns a list or an object to go through; an empty one without it.
const nlohmann::json& PartsOf(const nlohmann::json& object, const char* key);

}  // namespace df::app
