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
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/field.h"
#include "config/field_schema.h"
#include "config/section.h"
#include "config/value_writer.h"

namespace df::config {

namespace field_internal {

template <typename S, typename T, typename ReadValue, typename ShowValue, typename WriteValue>
Field<S> Make(std::string name, std::string type, std::string description, T S::* member,
              ReadValue read_value, ShowValue show_value, WriteValue write_value, ValuePtr schema) {
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
  field.write = [member, write_value](const S& in) -> ValuePtr { return write_value(in.*member); };
  field.schema = std::move(schema);
  return field;
}

template <typename S>
S ReadChecked(const FieldTable<S>& table, const Section& section, SectionCheck<S> check) {
  S value = Read(table, section);
  if (check != nullptr) {
    check(section, value);
  }
  return value;
}

template <typename T, typename ShowValue>
auto ShowOptional(ShowValue show_value) {
  return [show_value](const std::optional<T>& value) {
    return value.has_value() ? show_value(*value) : std::string("none");
  };
}

/// Writes a value as the plain scalar that shows it.
template <typename T, typename ShowValue>
auto WriteShown(ShowValue show_value) {
  return [show_value](const T& value) { return MakePlain(show_value(value)); };
}

template <typename S>
Field<S> AsText(Field<S> field) {
  field.is_text = true;
  return field;
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
  return field_internal::AsText(field_internal::Make<S>(
      std::move(name), "text", std::move(description), member,
      [](const Section& section) { return section.ReadString(); },
      [](const std::string& value) { return value; },
      [](const std::string& value) { return value.empty() ? nullptr : MakeText(value); },
      TextSchema()));
}

/// A whole number in a range.
template <typename S>
Field<S> Integer(std::string name, int64_t S::* member, Range range, std::string description) {
  return field_internal::Make<S>(
      std::move(name), IntegerType(range), std::move(description), member,
      [range](const Section& section) { return section.ReadInteger(range); },
      [](int64_t value) { return std::to_string(value); }, MakeInteger, IntegerSchema(range));
}

/// A number in a range, with or without a fraction.
template <typename S>
Field<S> Number(std::string name, double S::* member, NumberRange range, std::string description) {
  return field_internal::Make<S>(
      std::move(name), NumberType(range), std::move(description), member,
      [range](const Section& section) { return section.ReadNumber(range); },
      [](double value) { return fmt::format("{}", value); },
      [](double value) { return MakePlain(fmt::format("{}", value)); }, NumberSchema(range));
}

/// true or false.
template <typename S>
Field<S> Bool(std::string name, bool S::* member, std::string description) {
  return field_internal::Make<S>(
      std::move(name), "true or false", std::move(description), member,
      [](const Section& section) { return section.ReadBool(); },
      [](bool value) { return std::string(value ? "true" : "false"); }, MakeBool, BoolSchema());
}

/// A duration as people write it; the range is in nanoseconds.
template <typename S>
Field<S> Duration(std::string name, std::chrono::nanoseconds S::* member, std::string description,
                  Range range = {0, INT64_MAX}) {
  return field_internal::Make<S>(
      std::move(name), "duration", std::move(description), member,
      [range](const Section& section) { return section.ReadDuration(range); }, ShowDuration,
      field_internal::WriteShown<std::chrono::nanoseconds>(ShowDuration), DurationSchema());
}

/// A duration that may be left out or null.
template <typename S>
Field<S> OptionalDuration(std::string name, std::optional<std::chrono::nanoseconds> S::* member,
                          std::string description, Range range = {0, INT64_MAX}) {
  return field_internal::Make<S>(
      std::move(name), "duration", std::move(description), member,
      [range](const Section& section) { return section.ReadOptionalDuration(range); },
      field_internal::ShowOptional<std::chrono::nanoseconds>(ShowDuration),
      [](const std::optional<std::chrono::nanoseconds>& value) {
        return value.has_value() ? MakePlain(ShowDuration(*value)) : MakeNull();
      },
      OrNullSchema(DurationSchema()));
}

/// A number of bytes as people write it.
template <typename S>
Field<S> Size(std::string name, int64_t S::* member, Range range, std::string description) {
  return field_internal::Make<S>(
      std::move(name), "size", std::move(description), member,
      [range](const Section& section) { return section.ReadSize(range); }, ShowSize,
      field_internal::WriteShown<int64_t>(ShowSize), SizeSchema());
}

/// One of several names.
template <typename S, typename E>
Field<S> Enum(std::string name, E S::* member,
              std::vector<std::pair<std::string, std::type_identity_t<E>>> names,
              std::string description) {
  std::string type = NamesType(field_internal::NamesOf(names));
  ValuePtr schema = NamesSchema(field_internal::NamesOf(names));
  return field_internal::Make<S>(
      std::move(name), std::move(type), std::move(description), member,
      [names](const Section& section) { return field_internal::ReadEnum<E>(section, names); },
      [names](E value) { return field_internal::ShowEnum<E>(value, names); },
      [names](E value) { return MakeText(field_internal::ShowEnum<E>(value, names)); },
      std::move(schema));
}

/// A list of some of several names, each at most once, not empty.
template <typename S, typename E>
Field<S> EnumList(std::string name, std::vector<E> S::* member,
                  std::vector<std::pair<std::string, std::type_identity_t<E>>> names,
                  std::string description) {
  std::string type = "list of " + NamesType(field_internal::NamesOf(names)).substr(7);
  ValuePtr schema = ListSchema(NamesSchema(field_internal::NamesOf(names)));
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
      },
      [names](const std::vector<E>& values) {
        std::vector<std::string> texts;
        for (const E value : values) {
          texts.push_back(field_internal::ShowEnum<E>(value, names));
        }
        return texts.empty() ? nullptr : MakeTexts(texts);
      },
      std::move(schema));
}

/// A map of text to text.
template <typename S>
Field<S> StringMap(std::string name, std::map<std::string, std::string> S::* member,
                   std::string description) {
  Field<S> field = field_internal::Make<S>(
      std::move(name), "map of text", std::move(description), member,
      [](const Section& section) { return section.ReadStringMap(); },
      [](const std::map<std::string, std::string>&) { return std::string("{}"); },
      [](const std::map<std::string, std::string>& texts) {
        std::vector<std::pair<std::string, ValuePtr>> entries;
        for (const auto& [key, text] : texts) {
          entries.emplace_back(key, MakeText(text));
        }
        return MakeMap(std::move(entries));
      },
      MapSchema(TextSchema()));
  field.effective = [](const Section* section) {
    return section == nullptr ? MakeMap({}) : std::make_shared<const Value>(section->value());
  };
  return field;
}

/// A map with keys of its own.
template <typename S, typename Inner>
Field<S> Group(std::string name, Inner S::* member, const FieldTable<Inner>& table,
               std::string description, SectionCheck<Inner> check = nullptr) {
  Field<S> field = field_internal::Make<S>(
      std::move(name), "map", std::move(description), member,
      [&table, check](const Section& section) {
        return std::optional<Inner>(field_internal::ReadChecked(table, section, check));
      },
      [](const Inner&) { return std::string("{}"); },
      [&table](const Inner& inner) { return Write(table, inner); },
      OrNullSchema(MapSchema(Describe(table))));
  field.effective = [&table](const Section* section) {
    return EffectiveMap(Describe(table), section);
  };
  return field;
}

/// A map with keys of its own that may be left out.
template <typename S, typename Inner>
Field<S> OptionalGroup(std::string name, std::optional<Inner> S::* member,
                       const FieldTable<Inner>& table, std::string description,
                       SectionCheck<Inner> check = nullptr) {
  Field<S> field = field_internal::Make<S>(
      std::move(name), "map", std::move(description), member,
      [&table, check](const Section& section) {
        return std::optional(std::optional(field_internal::ReadChecked(table, section, check)));
      },
      [](const std::optional<Inner>&) { return std::string("none"); },
      [&table](const std::optional<Inner>& inner) {
        return inner.has_value() ? Write(table, *inner) : nullptr;
      },
      OrNullSchema(MapSchema(Describe(table))));
  field.effective = [&table](const Section* section) {
    return section == nullptr ? nullptr : EffectiveMap(Describe(table), section);
  };
  return field;
}

/// A map whose keys are members of the section around it.
template <typename S>
Field<S> Subsection(std::string name, const FieldTable<S>& table, std::string description) {
  Field<S> field;
  field.name = std::move(name);
  field.type = "map";
  field.description = std::move(description);
  field.read = [&table](const Section& section, S* out) { ReadInto(table, section, out); };
  field.show = [](const S&) { return std::string("{}"); };
  field.write = [&table](const S& in) -> ValuePtr {
    ValuePtr map = Write(table, in);
    return map->entries.empty() ? nullptr : map;
  };
  field.effective = [&table](const Section* section) -> ValuePtr {
    ValuePtr map = EffectiveMap(Describe(table), section);
    return map->kind == Value::Kind::kMap && map->entries.empty() ? nullptr : map;
  };
  field.schema = OrNullSchema(MapSchema(Describe(table)));
  return field;
}

/// A list of maps, each with the same keys.
template <typename S, typename Inner>
Field<S> GroupList(std::string name, std::vector<Inner> S::* member, const FieldTable<Inner>& table,
                   std::string description, SectionCheck<Inner> check = nullptr) {
  Field<S> field = field_internal::Make<S>(
      std::move(name), "list of maps", std::move(description), member,
      [&table, check](const Section& section) -> std::optional<std::vector<Inner>> {
        if (section.value().kind != Value::Kind::kList) {
          section.Add(fmt::format("found {}, expected a list of maps", section.value().Describe()));
          return std::nullopt;
        }
        std::vector<Inner> values;
        for (const Section& item : section.Items()) {
          values.push_back(field_internal::ReadChecked(table, item, check));
        }
        return values;
      },
      [](const std::vector<Inner>&) { return std::string("[]"); },
      [&table](const std::vector<Inner>& values) {
        std::vector<ValuePtr> items;
        for (const Inner& inner : values) {
          items.push_back(Write(table, inner));
        }
        return MakeList(std::move(items));
      },
      ListSchema(MapSchema(Describe(table))));
  field.effective = [&table](const Section* section) {
    std::vector<ValuePtr> items;
    if (section != nullptr) {
      for (const Section& item : section->Items()) {
        items.push_back(EffectiveMap(Describe(table), &item));
      }
    }
    return MakeList(std::move(items));
  };
  return field;
}

/// A list of texts that are not empty.
template <typename S>
Field<S> StringList(std::string name, std::vector<std::string> S::* member,
                    std::string description) {
  Field<S> field = field_internal::Make<S>(
      std::move(name), "list of texts", std::move(description), member,
      [](const Section& section) { return section.ReadStringList(); },
      [](const std::vector<std::string>& texts) {
        std::string text;
        for (const std::string& item : texts) {
          text += (text.empty() ? "" : ", ") + item;
        }
        return "[" + text + "]";
      },
      MakeTexts, ListSchema(TextSchema()));
  field.effective = [member](const Section* section) {
    return section == nullptr ? MakeTexts(S{}.*member)
                              : std::make_shared<const Value>(section->value());
  };
  return field;
}

/// A value of any shape, read and written by functions.
template <typename S, typename T>
Field<S> Structured(std::string name, std::string type, T S::* member,
                    std::function<std::optional<std::type_identity_t<T>>(const Section&)> read,
                    std::function<ValuePtr(const std::type_identity_t<T>&)> write,
                    std::function<std::string(const std::type_identity_t<T>&)> show,
                    ValuePtr schema, std::string description) {
  return field_internal::Make<S>(std::move(name), std::move(type), std::move(description), member,
                                 std::move(read), std::move(show), std::move(write),
                                 std::move(schema));
}

/// A key of other engines that is refused. `reason` continues "key 'x' ...", and says what to use
/// instead where there is something.
template <typename S>
Field<S> Refused(std::string name, std::string reason) {
  Field<S> field;
  field.name = std::move(name);
  field.refusal = std::move(reason);
  return field;
}

/// A key of other engines that is accepted with a notice, because leaving it out changes nothing.
/// `reason` continues "no effect: ..."; `check` adds what is wrong with the value all the same.
template <typename S>
Field<S> WithoutEffect(std::string name, std::string type, std::string reason, ValuePtr schema,
                       std::function<void(const Section&)> check) {
  Field<S> field;
  field.name = std::move(name);
  field.type = std::move(type);
  field.description = "no effect: " + reason;
  field.read = [reason, check](const Section& section, S*) {
    check(section);
    section.AddNotice("has no effect: " + reason);
  };
  field.show = [](const S&) { return std::string("none"); };
  field.write = [](const S&) { return ValuePtr(); };
  field.effective = [](const Section*) { return ValuePtr(); };
  field.schema = std::move(schema);
  return field;
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
      show, [show](const T& value) { return MakePlain(show(value)); }, ScalarSchema());
}

}  // namespace df::config
