// What a condition needs of attribute tables: rows without it are not wanted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "select/paths.h"
#include "select/syntax.h"

namespace df::select {

/// An attribute that must be there.
struct AttributeNeed {
  std::string key;
  std::optional<std::string> text;  ///< where it is text it must be this; it may be no text
  std::optional<int64_t> integer;   ///< where it is an integer it must be this; it may be none
};

/// An item, its resource or its scope must have one of some attributes.
struct AttributeNeeds {
  Place place = Place::kItem;
  std::vector<AttributeNeed> any_of;
};

/// Returns what a condition needs where it holds; nothing where no attribute is needed for certain.
/// Such a condition fails for attributes only whose value is broken, or a map or list.
std::optional<AttributeNeeds> FindAttributeNeeds(const TestSyntax& syntax, Context context);

}  // namespace df::select
