// Keys of a configuration section, each declared once: name, type, range, default, meaning.
//
//   struct DebugConfig { int64_t limit = 10; Mode mode = Mode::kBatch; };
//
//   const config::FieldTable<DebugConfig>& DebugFields() {
//     static const config::FieldTable<DebugConfig> table = {
//         config::Integer("limit", &DebugConfig::limit, {1, 100}, "records printed of each batch"),
//         config::Enum("mode", &DebugConfig::mode, {{"batch", Mode::kBatch}, {"signal", ...}},
//         ".."),
//     };
//     return table;
//   }
//   DebugConfig debug = config::Read(DebugFields(), section);
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/section.h"

namespace df::config {

/// Smallest and largest value allowed.
struct Range {
  int64_t min = INT64_MIN;
  int64_t max = INT64_MAX;
};

/// Smallest and largest number allowed, both finite.
struct NumberRange {
  double min = std::numeric_limits<double>::lowest();
  double max = std::numeric_limits<double>::max();
};

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
  bool is_required = false;

  /// Marks a key that has no default.
  Field Required() && {
    is_required = true;
    return std::move(*this);
  }
};

template <typename S>
using FieldTable = std::vector<Field<S>>;

/// One row of a printed table of keys.
struct FieldDescription {
  std::string name;
  std::string type;
  std::string default_text;  ///< "required" when there is none
  std::string description;
};

/// Reads a section. Unknown keys (the nearest one is offered), missing required keys and everything
/// that a field refuses are added to the problems of the section. A section of kind kNull reads as
/// an empty map.
template <typename S>
S Read(const FieldTable<S>& table, const Section& section) {
  S result{};
  std::vector<std::string> names;
  for (const Field<S>& field : table) {
    names.push_back(field.name);
  }
  if (!section.CheckMap(names)) {
    return result;
  }
  for (const Field<S>& field : table) {
    if (const std::optional<Section> value = section.Find(field.name)) {
      field.read(*value, &result);
    } else if (field.is_required) {
      section.Add(fmt::format("key '{}' is missing, expected {}", field.name, field.type));
    }
  }
  return result;
}

/// Describes a table, for READMEs and --help.
template <typename S>
std::vector<FieldDescription> Describe(const FieldTable<S>& table) {
  std::vector<FieldDescription> rows;
  const S defaults{};
  for (const Field<S>& field : table) {
    rows.push_back({field.name, field.type, field.is_required ? "required" : field.show(defaults),
                    field.description});
  }
  return rows;
}

namespace field_internal {

template <typename S, typename T, typename ReadValue, typename ShowValue>
Field<S> Make(std::string name, std::string type, std::string description, T S::* member,
              ReadValue read_value, ShowValue show_value) {
  Field<S> field;
  field.name = std::move(name);
  field.type = std::move(type);
  field.description = std::move(description);
  field.read = [member, read_value](const Section& section, S* out) {
    if (auto value = read_value(section)) {
      out->*member = std::move(*value);
    }
  };
  field.show = [member, show_value](const S& in) { return show_value(in.*member); };
  return field;
}

template <typename T, typename ShowValue>
auto ShowOptional(ShowValue show_value) {
  return [show_value](const std::optional<T>& value) {
    return value.has_value() ? show_value(*value) : std::string("none");
  };
}

template <typename E>
std::vector<std::string> NamesOf(const std::vector<std::pair<std::string, E>>& names) {
  std::vector<std::string> result;
  for (const auto& [name, value] : names) {
    result.push_back(name);
  }
  return result;
}

template <typename E>
std::optional<E> ReadEnum(const Section& section,
                          const std::vector<std::pair<std::string, E>>& names) {
  const std::optional<size_t> index = section.ReadName(NamesOf(names));
  return index.has_value() ? std::optional<E>(names[*index].second) : std::nullopt;
}

template <typename E>
std::string ShowEnum(E value, const std::vector<std::pair<std::string, E>>& names) {
  for (const auto& [name, candidate] : names) {
    if (candidate == value) {
      return name;
    }
  }
  return "";
}

}  // namespace field_internal

/// Text that is not empty.
template <typename S>
Field<S> String(std::string name, std::string S::* member, std::string description) {
  return field_internal::Make<S>(
      std::move(name), "text", std::move(description), member,
      [](const Section& section) { return section.ReadString(); },
      [](const std::string& value) { return value; });
}

/// A whole number in a range.
template <typename S>
Field<S> Integer(std::string name, int64_t S::* member, Range range, std::string description) {
  return field_internal::Make<S>(
      std::move(name), IntegerType(range), std::move(description), member,
      [range](const Section& section) { return section.ReadInteger(range); },
      [](int64_t value) { return std::to_string(value); });
}

/// A number in a range, with or without a fraction.
template <typename S>
Field<S> Number(std::string name, double S::* member, NumberRange range, std::string description) {
  return field_internal::Make<S>(
      std::move(name), NumberType(range), std::move(description), member,
      [range](const Section& section) { return section.ReadNumber(range); },
      [](double value) { return fmt::format("{}", value); });
}

/// true or false.
template <typename S>
Field<S> Bool(std::string name, bool S::* member, std::string description) {
  return field_internal::Make<S>(
      std::move(name), "true or false", std::move(description), member,
      [](const Section& section) { return section.ReadBool(); },
      [](bool value) { return std::string(value ? "true" : "false"); });
}

/// A duration as people write it; the range is in nanoseconds.
template <typename S>
Field<S> Duration(std::string name, std::chrono::nanoseconds S::* member, std::string description,
                  Range range = {0, INT64_MAX}) {
  return field_internal::Make<S>(
      std::move(name), "duration", std::move(description), member,
      [range](const Section& section) { return section.ReadDuration(range); }, ShowDuration);
}

/// A duration that may be left out or null.
template <typename S>
Field<S> OptionalDuration(std::string name, std::optional<std::chrono::nanoseconds> S::* member,
                          std::string description, Range range = {0, INT64_MAX}) {
  return field_internal::Make<S>(
      std::move(name), "duration", std::move(description), member,
      [range](const Section& section) { return section.ReadOptionalDuration(range); },
      field_internal::ShowOptional<std::chrono::nanoseconds>(ShowDuration));
}

/// A number of bytes as people write it.
template <typename S>
Field<S> Size(std::string name, int64_t S::* member, Range range, std::string description) {
  return field_internal::Make<S>(
      std::move(name), "size", std::move(description), member,
      [range](const Section& section) { return section.ReadSize(range); }, ShowSize);
}

/// One of several names.
template <typename S, typename E>
Field<S> Enum(std::string name, E S::* member,
              std::vector<std::pair<std::string, std::type_identity_t<E>>> names,
              std::string description) {
  std::string type = NamesType(field_internal::NamesOf(names));
  return field_internal::Make<S>(
      std::move(name), std::move(type), std::move(description), member,
      [names](const Section& section) { return field_internal::ReadEnum<E>(section, names); },
      [names](E value) { return field_internal::ShowEnum<E>(value, names); });
}

/// A list of some of several names, each at most once, not empty.
template <typename S, typename E>
Field<S> EnumList(std::string name, std::vector<E> S::* member,
                  std::vector<std::pair<std::string, std::type_identity_t<E>>> names,
                  std::string description) {
  std::string type = "list of " + NamesType(field_internal::NamesOf(names)).substr(7);
  return field_internal::Make<S>(
      std::move(name), std::move(type), std::move(description), member,
      [names](const Section& section) -> std::optional<std::vector<E>> {
        const auto indices = section.ReadNames(field_internal::NamesOf(names));
        if (!indices.has_value()) {
          return std::nullopt;
        }
        std::vector<E> values;
        for (const size_t index : *indices) {
          values.push_back(names[index].second);
        }
        return values;
      },
      [names](const std::vector<E>& values) {
        std::string text;
        for (const E value : values) {
          text += (text.empty() ? "" : ", ") + field_internal::ShowEnum<E>(value, names);
        }
        return "[" + text + "]";
      });
}

/// A map of text to text.
template <typename S>
Field<S> StringMap(std::string name, std::map<std::string, std::string> S::* member,
                   std::string description) {
  return field_internal::Make<S>(
      std::move(name), "map of text", std::move(description), member,
      [](const Section& section) { return section.ReadStringMap(); },
      [](const std::map<std::string, std::string>&) { return std::string("{}"); });
}

/// A map with keys of its own.
template <typename S, typename Inner>
Field<S> Group(std::string name, Inner S::* member, const FieldTable<Inner>& table,
               std::string description) {
  return field_internal::Make<S>(
      std::move(name), "map", std::move(description), member,
      [&table](const Section& section) { return std::optional<Inner>(Read(table, section)); },
      [](const Inner&) { return std::string("{}"); });
}

/// Anything else that is written as one scalar. `parse` gets the text; its error says what was
/// expected.
template <typename S, typename T>
Field<S> Custom(std::string name, std::string type, T S::* member,
                std::function<Result<std::type_identity_t<T>>(std::string_view)> parse,
                std::function<std::string(const std::type_identity_t<T>&)> show,
                std::string description) {
  return field_internal::Make<S>(
      std::move(name), type, std::move(description), member,
      [parse, type](const Section& section) -> std::optional<T> {
        const std::optional<std::string> text = section.ReadString();
        if (!text.has_value()) {
          return std::nullopt;
        }
        Result<T> value = parse(*text);
        if (!value.ok()) {
          section.Add(fmt::format("{}, expected {}", value.status().message(), type));
          return std::nullopt;
        }
        return std::move(value).ValueUnsafe();
      },
      show);
}

}  // namespace df::config
