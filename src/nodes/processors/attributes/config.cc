#include "nodes/processors/attributes/config.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace df::nodes::processors::attributes {
namespace {

using config::Section;
using otap::AttributeActionKind;
using otap::AttributeOwner;
using otap::AttributeValue;

std::string ShowValue(const AttributeValue& value) {
  std::string text;
  std::visit([&](const auto& held) { text = fmt::format("{}", held); }, value);
  return text;
}

config::Field<ActionDocument> ValueField() {
  return config::Structured<ActionDocument, std::optional<AttributeValue>>(
      "value", "text, number, true or false", &ActionDocument::value,
      [](const Section& section) -> std::optional<std::optional<AttributeValue>> {
        if (section.value().kind != config::Value::Kind::kScalar) {
          section.Add(fmt::format("found {}, expected text, a number, true or false",
                                  section.value().Describe()));
          return std::nullopt;
        }
        return std::optional(
            otap::ParseAttributeValue(section.value().scalar, section.value().is_quoted));
      },
      [](const std::optional<AttributeValue>& value) {
        return !value.has_value()                            ? nullptr
               : std::holds_alternative<std::string>(*value) ? config::MakeText(ShowValue(*value))
                                                             : config::MakePlain(ShowValue(*value));
      },
      [](const std::optional<AttributeValue>& value) {
        return value.has_value() ? ShowValue(*value) : std::string("none");
      },
      config::ScalarSchema(),
      "insert, update, upsert: what the attribute gets, of the type that it is written as");
}

/// The keys that an action needs, besides those that it may have.
std::vector<std::string_view> NeededKeys(AttributeActionKind kind) {
  switch (kind) {
    case AttributeActionKind::kInsert:
    case AttributeActionKind::kUpdate:
    case AttributeActionKind::kUpsert:
      return {"key", "value"};
    case AttributeActionKind::kRename:
      return {"source_key", "destination_key"};
    case AttributeActionKind::kDelete:
    case AttributeActionKind::kHash:
      return {"key"};
  }
  return {};
}

void CheckAction(const Section& section, const ActionDocument& action) {
  const std::vector<std::string_view> needed = NeededKeys(action.action);
  for (const std::string_view key : needed) {
    if (!section.Find(key).has_value()) {
      section.Add(fmt::format("key '{}' is missing, {} needs it", key, Name(action.action)));
    }
  }
  const bool is_hash = action.action == AttributeActionKind::kHash;
  for (const std::string_view key :
       {"key", "value", "source_key", "destination_key", "algorithm", "salt"}) {
    const bool is_of_hash = key == "algorithm" || key == "salt";
    const auto given = section.Find(key);
    if (given.has_value() && std::find(needed.begin(), needed.end(), key) == needed.end() &&
        !(is_hash && is_of_hash)) {
      given->Add(fmt::format("{} has no such key", Name(action.action)));
    }
  }
  if (action.action == AttributeActionKind::kRename && !action.source_key.empty() &&
      action.source_key == action.destination_key) {
    section.Add(fmt::format("renames '{}' to itself", action.source_key));
  }
}

const config::FieldTable<ActionDocument>& ActionFields() {
  std::vector<std::pair<std::string, AttributeActionKind>> kinds;
  for (size_t i = 0; i < otap::kNumAttributeActions; ++i) {
    const auto kind = static_cast<AttributeActionKind>(i);
    kinds.emplace_back(std::string(Name(kind)), kind);
  }
  static const config::FieldTable<ActionDocument> table = {
      config::Enum("action", &ActionDocument::action, kinds, "what to do").Required(),
      config::String("key", &ActionDocument::key, "all but rename: key of the attribute"),
      ValueField(),
      config::String("source_key", &ActionDocument::source_key, "rename: key that it has"),
      config::String("destination_key", &ActionDocument::destination_key,
                     "rename: key that it gets; an attribute of that key is replaced"),
      config::Enum("algorithm", &ActionDocument::algorithm, {{"sha256", HashAlgorithm::kSha256}},
                   "hash: how")
          .PrintedWhenGiven(),
      config::String("salt", &ActionDocument::salt, "hash: text put before the value"),
  };
  return table;
}

}  // namespace

const config::FieldTable<AttributesDocument>& AttributesFields() {
  static const config::FieldTable<AttributesDocument> table = {
      config::GroupList("actions", &AttributesDocument::actions, ActionFields(),
                        "what to do, in order", CheckAction)
          .Required(),
      config::EnumList("apply_to", &AttributesDocument::apply_to,
                       {{"signal", AttributeOwner::kSignal},
                        {"resource", AttributeOwner::kResource},
                        {"scope", AttributeOwner::kScope},
                        {"metric", AttributeOwner::kMetric},
                        {"span_event", AttributeOwner::kSpanEvent},
                        {"span_link", AttributeOwner::kSpanLink},
                        {"exemplar", AttributeOwner::kExemplar}},
                       "whose attributes; signal: of log records, spans and data points"),
  };
  return table;
}

AttributesConfig ReadAttributesConfig(const Section& section) {
  const AttributesDocument document = config::Read(AttributesFields(), section);
  AttributesConfig config;
  config.apply_to = document.apply_to;
  for (const ActionDocument& written : document.actions) {
    otap::AttributeAction action;
    action.kind = written.action;
    action.key = written.action == AttributeActionKind::kRename ? written.source_key : written.key;
    action.new_key = written.destination_key;
    action.value = written.value.value_or(AttributeValue());
    action.salt = written.salt;
    config.actions.push_back(std::move(action));
  }
  return config;
}

}  // namespace df::nodes::processors::attributes
