// Checks JSON against the part of JSON Schema that the documents of this project use.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace df::e2e {

/// Returns where and why `value` is not what `schema` says, or "". Knows type, const, enum,
/// required, properties, additionalProperties, items, minimum, anyOf, oneOf and $ref into $defs;
/// any other keyword that decides something is a mismatch, so that no rule is passed over.
std::string SchemaMismatch(const nlohmann::json& value, const nlohmann::json& schema);

}  // namespace df::e2e
