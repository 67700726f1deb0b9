#include "config/field_schema.h"

#include <limits>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "config/field_table.h"

namespace df::config {
namespace {

using Entries = std::vector<std::pair<std::string, ValuePtr>>;

// More would come out of a reader of JSON as another number.
constexpr int64_t kLargestExact = int64_t{1} << 53;

ValuePtr Typed(std::string type, Entries more = {}) {
  Entries entries = {{"type", MakeText(std::move(type))}};
  entries.insert(entries.end(), std::make_move_iterator(more.begin()),
                 std::make_move_iterator(more.end()));
  return MakeMap(std::move(entries));
}

ValuePtr AnyOf(std::vector<ValuePtr> schemas) {
  return MakeMap({{"anyOf", MakeList(std::move(schemas))}});
}

ValuePtr OrReference(ValuePtr schema) {
  return AnyOf({std::move(schema), MakeMap({{"$ref", MakeText("#/$defs/reference")}})});
}

ValuePtr Matching(std::string pattern) {
  return Typed("string", {{"pattern", MakeText(std::move(pattern))}});
}

}  // namespace

ValuePtr TextSchema() { return Typed("string", {{"minLength", MakeInteger(1)}}); }

ValuePtr IntegerSchema(const Range& range) {
  return OrReference(Typed(
      "integer", {{"minimum", range.min >= -kLargestExact ? MakeInteger(range.min) : nullptr},
                  {"maximum", range.max <= kLargestExact ? MakeInteger(range.max) : nullptr}}));
}

ValuePtr NumberSchema(const NumberRange& range) {
  const auto bound = [](double value, double unbounded) {
    return value == unbounded ? nullptr : MakePlain(fmt::format("{}", value));
  };
  using Limits = std::numeric_limits<double>;
  return OrReference(Typed("number", {{"minimum", bound(range.min, Limits::lowest())},
                                      {"maximum", bound(range.max, Limits::max())}}));
}

ValuePtr BoolSchema() { return OrReference(Typed("boolean")); }

ValuePtr DurationSchema() {
  return OrReference(AnyOf({Matching("^ *([0-9]+(\\.[0-9]+)? *(ns|us|ms|s|m|min|h|d) *)+$|^0$"),
                            MakeMap({{"const", MakeInteger(0)}})}));
}

ValuePtr SizeSchema() {
  return OrReference(AnyOf({Matching("^ *[0-9]+(\\.[0-9]+)? *([KMGT]i?B|B)? *$"),
                            Typed("integer", {{"minimum", MakeInteger(0)}})}));
}

ValuePtr NamesSchema(const std::vector<std::string>& names) {
  return OrReference(MakeMap({{"enum", MakeTexts(names)}}));
}

ValuePtr ScalarSchema() { return MakeMap({{"type", MakeTexts({"string", "number", "boolean"})}}); }

ValuePtr ListSchema(ValuePtr item) { return Typed("array", {{"items", std::move(item)}}); }

ValuePtr MapSchema(ValuePtr value) {
  return Typed("object", {{"additionalProperties", std::move(value)}});
}

ValuePtr MapSchema(const std::vector<FieldDescription>& rows) {
  Entries properties;
  std::vector<std::string> required;
  for (const FieldDescription& row : rows) {
    Entries property;
    if (row.schema != nullptr) {
      for (const Value::Entry& entry : row.schema->entries) {
        property.emplace_back(entry.key, entry.value);
      }
    }
    property.emplace_back("description", MakeText(row.description));
    property.emplace_back("default", row.default_value);
    properties.emplace_back(row.name, MakeMap(std::move(property)));
    if (row.is_required) {
      required.push_back(row.name);
    }
  }
  return Typed("object", {{"properties", MakeMap(std::move(properties))},
                          {"required", required.empty() ? nullptr : MakeTexts(required)},
                          {"additionalProperties", MakeBool(false)}});
}

ValuePtr OrNullSchema(ValuePtr schema) { return AnyOf({std::move(schema), Typed("null")}); }

ValuePtr ReferenceSchema() {
  return Typed("string",
               {{"description", MakeText("a text with a reference to an environment variable")},
                {"pattern", MakeText("\\$\\{env:[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}")}});
}

ValuePtr EffectiveMap(const std::vector<FieldDescription>& rows, const Section* section) {
  Entries entries;
  const bool has_map = section != nullptr && section->value().kind == Value::Kind::kMap;
  std::set<std::string_view> replaced;
  for (const FieldDescription& row : rows) {
    if (has_map && section->Find(row.name).has_value()) {
      replaced.insert(row.older_form_of);
    }
  }
  for (const FieldDescription& row : rows) {
    if (replaced.contains(row.name)) {
      continue;
    }
    const std::optional<Section> value = has_map ? section->Find(row.name) : std::nullopt;
    entries.emplace_back(row.name, row.effective(value.has_value() ? &*value : nullptr));
  }
  if (has_map) {
    for (const Value::Entry& entry : section->value().entries) {
      bool is_described = false;
      for (const FieldDescription& row : rows) {
        is_described |= row.name == entry.key;
      }
      if (!is_described) {
        entries.emplace_back(entry.key, entry.value);
      }
    }
  }
  return MakeMap(std::move(entries));
}

}  // namespace df::config
