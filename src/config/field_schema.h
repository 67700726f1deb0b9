// JSON Schema (draft 2020-12) of the values that fields read.
#pragma once

#include <string>
#include <vector>

#include "config/section.h"
#include "config/value.h"

namespace df::config {

struct FieldDescription;

/// Schemas of single values. Every scalar may also be a reference to the environment, which
/// `#/$defs/reference` describes; the document's schema defines it.
ValuePtr TextSchema();
ValuePtr IntegerSchema(const Range& range);
ValuePtr NumberSchema(const NumberRange& range);
ValuePtr BoolSchema();
ValuePtr DurationSchema();
ValuePtr SizeSchema();
ValuePtr NamesSchema(const std::vector<std::string>& names);
/// Any scalar.
ValuePtr ScalarSchema();
/// A list of such items.
ValuePtr ListSchema(ValuePtr item);
/// A map from any key to `value`.
ValuePtr MapSchema(ValuePtr value);
/// A map with exactly these keys, with their descriptions and defaults.
ValuePtr MapSchema(const std::vector<FieldDescription>& rows);
/// The value, or nothing.
ValuePtr OrNullSchema(ValuePtr schema);
/// What `#/$defs/reference` stands for.
ValuePtr ReferenceSchema();

}  // namespace df::config
