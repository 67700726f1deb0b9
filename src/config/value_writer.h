// Values made by the program, and values written as text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/value.h"

namespace df::config {

ValuePtr MakeNull();
/// A scalar that is text whatever it looks like.
ValuePtr MakeText(std::string text);
/// A scalar that is a number, a truth value, a duration and the like.
ValuePtr MakePlain(std::string text);
ValuePtr MakeInteger(int64_t number);
ValuePtr MakeBool(bool flag);
ValuePtr MakeList(std::vector<ValuePtr> items);
/// Entries whose value is null are left out.
ValuePtr MakeMap(std::vector<std::pair<std::string, ValuePtr>> entries);
/// A list of texts.
ValuePtr MakeTexts(const std::vector<std::string>& texts);

/// Writes a value as a YAML document that reads as the same value: text that contains '$' has it
/// doubled, and a scalar that was written with a reference to the environment is written with it.
std::string ToYaml(const Value& value);

/// Writes a value as JSON, indented.
std::string ToJson(const Value& value);

}  // namespace df::config
