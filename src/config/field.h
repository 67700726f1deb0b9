// One key of a configuration section: how it is read, printed and described.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "config/section.h"
#include "config/value_writer.h"

namespace df::config {

/// One key of a section that is read into an `S`.
template <typename S>
struct Field {
  std::string name;
  std::string type;         ///< for people: "integer 1..65535", "duration", "one of a, b"
  std::string description;  ///< one sentence; the unit where there is one
  /// Reads a value; a problem leaves the member as it is.
  std::function<void(const Section&, S*)> read;
  /// Writes the value of the member; of `S{}` it is the default.
  std::function<std::string(const S&)> show;
  /// Returns the value of the member as it stands in a document; null: the key is left out.
  /// Unset: the key is printed as it was written.
  std::function<ValuePtr(const S&)> write;
  /// Returns the value with every default filled in, of the section or, where it is null, of none.
  /// Unset: what `write` gives after `read`.
  std::function<ValuePtr(const Section*)> effective;
  ValuePtr schema;  ///< JSON Schema of the value, without description and default; null: any
  bool is_required = false;
  bool is_text = false;  ///< printed with its reference to the environment, if it has one
  std::string refusal;   ///< not empty: the key is known elsewhere, not here; what to use instead
  bool is_printed_when_given = false;  ///< a printed document has the key only if it was written
  std::string older_form_of;           ///< not empty: the key that says the same

  /// Marks a key that has no default.
  Field Required() && {
    is_required = true;
    return std::move(*this);
  }

  /// Marks a key without a default that would mean something.
  Field PrintedWhenGiven() && {
    is_printed_when_given = true;
    return std::move(*this);
  }

  /// Marks an older name of a key of the same section: of the two, the one that was given is
  /// printed, since a default printed beside it would contradict it. Both given is an error.
  Field OlderFormOf(std::string key) && {
    is_printed_when_given = true;
    older_form_of = std::move(key);
    return std::move(*this);
  }
};

template <typename S>
using FieldTable = std::vector<Field<S>>;

/// Checks keys of a section against each other; problems go to the section.
template <typename S>
using SectionCheck = void (*)(const Section& section, const S& value);

/// One key, without the type that it is read into: for printed tables, schemas and documents.
struct FieldDescription {
  std::string name;
  std::string type;
  std::string default_text;  ///< "required" when there is none
  std::string description;
  bool is_required = false;
  std::string older_form_of;  ///< as of Field
  ValuePtr schema;            ///< as of Field
  ValuePtr default_value;     ///< as it stands in a document; null when there is none
  /// As of Field, never unset; a null result leaves the key out.
  std::function<ValuePtr(const Section*)> effective;
};

template <typename S>
void ReadInto(const FieldTable<S>& table, const Section& section, S* result);

/// Reads a section. Unknown keys (the nearest one is offered), missing required keys and everything
/// that a field refuses are added to the problems of the section. A section of kind kNull reads as
/// an empty map.
template <typename S>
S Read(const FieldTable<S>& table, const Section& section) {
  S result{};
  ReadInto(table, section, &result);
  return result;
}

/// Reads a section over what `result` holds already.
template <typename S>
void ReadInto(const FieldTable<S>& table, const Section& section, S* result) {
  std::vector<std::string> names;
  std::vector<std::string> refused;
  for (const Field<S>& field : table) {
    (field.refusal.empty() ? names : refused).push_back(field.name);
  }
  if (!section.CheckMap(names, refused)) {
    return;
  }
  for (const Field<S>& field : table) {
    const std::optional<Section> value = section.Find(field.name);
    if (!field.refusal.empty()) {
      if (value.has_value()) {
        section.AddAtKey(field.name, fmt::format("key '{}' {}", field.name, field.refusal));
      }
    } else if (value.has_value()) {
      field.read(*value, result);
    } else if (field.is_required) {
      section.Add(fmt::format("key '{}' is missing, expected {}", field.name, field.type));
    }
    if (value.has_value() && !field.older_form_of.empty() &&
        section.Find(field.older_form_of).has_value()) {
      value->Add(
          fmt::format("says the same as '{}', expected one of the two", field.older_form_of));
    }
  }
}

/// Writes every key that has a value, as it stands in a document.
template <typename S>
ValuePtr Write(const FieldTable<S>& table, const S& value) {
  std::vector<std::pair<std::string, ValuePtr>> entries;
  for (const Field<S>& field : table) {
    if (field.write) {
      entries.emplace_back(field.name, field.write(value));
    }
  }
  return MakeMap(std::move(entries));
}

/// Returns one key of a section with its default filled in.
template <typename S>
ValuePtr Effective(const Field<S>& field, const Section* section) {
  if (field.effective) {
    return field.effective(section);
  }
  const bool keeps_text =
      !field.write || (field.is_text && section != nullptr && !section->value().reference.empty());
  const bool is_left_out = section == nullptr && (field.is_required || field.is_printed_when_given);
  if (keeps_text || is_left_out) {
    return section == nullptr ? nullptr : std::make_shared<const Value>(section->value());
  }
  S value{};
  if (section != nullptr) {
    field.read(*section, &value);
  }
  return field.write(value);
}

/// Describes a table, for READMEs, --help, schemas and printed documents.
template <typename S>
std::vector<FieldDescription> Describe(const FieldTable<S>& table) {
  std::vector<FieldDescription> rows;
  const S defaults{};
  for (const Field<S>& field : table) {
    if (!field.refusal.empty()) {
      continue;
    }
    FieldDescription row;
    row.name = field.name;
    row.type = field.type;
    const bool has_default = !field.is_required && !field.is_printed_when_given;
    row.default_text = field.is_required ? "required" : field.show(defaults);
    row.description = field.description;
    row.is_required = field.is_required;
    row.schema = field.schema;
    row.older_form_of = field.older_form_of;
    row.default_value = has_default && field.write ? field.write(defaults) : nullptr;
    row.effective = [field](const Section* section) { return Effective(field, section); };
    rows.push_back(std::move(row));
  }
  return rows;
}

/// Returns a section (null: an empty one) with every default filled in. Keys that no row describes
/// stay as they are.
ValuePtr EffectiveMap(const std::vector<FieldDescription>& rows, const Section* section);

}  // namespace df::config
