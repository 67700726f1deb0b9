#include "config/document_fields.h"

#include <utility>

namespace df::config {
namespace {

/// A map whose entries are read elsewhere.
template <typename S>
Field<S> MapOf(std::string name, std::string type, bool S::* member, std::string definition,
               std::string description) {
  return Structured<S, bool>(
      std::move(name), std::move(type), member, [](const Section&) { return std::optional(true); },
      [](bool) { return ValuePtr(); }, [](bool) { return std::string("{}"); },
      OrNullSchema(MapSchema(ValuePtr(MakeMap({{"$ref", MakeText("#/$defs/" + definition)}})))),
      std::move(description));
}

}  // namespace

const FieldTable<DocumentKeys>& DocumentFields() {
  static const std::vector<std::string> kVersions = {std::string(kDocumentVersion)};
  static const FieldTable<DocumentKeys> table = {
      Structured<DocumentKeys, std::string>(
          "version", NamesType(kVersions), &DocumentKeys::version,
          [](const Section& section) -> std::optional<std::string> {
            if (!section.ReadName(kVersions).has_value()) {
              return std::nullopt;
            }
            return kVersions[0];
          },
          [](const std::string& version) { return MakeText(version); },
          [](const std::string& version) { return version; },
          MakeMap({{"const", MakeText(kVersions[0])}}), "the form of the document")
          .Required(),
      PoliciesField(&DocumentKeys::policies),
      Group("engine", &DocumentKeys::engine, EngineFields(), "what belongs to the process"),
      MapOf("groups", "map of groups", &DocumentKeys::has_groups, "group",
            "pipelines that belong together"),
      Refused<DocumentKeys>("topics", "is not supported, expected connections in a pipeline"),
      Refused<DocumentKeys>("extensions", "is not supported: there are no extensions"),
      Refused<DocumentKeys>("nodes",
                            "belongs to a pipeline, expected it under "
                            "groups.<group>.pipelines.<pipeline>"),
      Refused<DocumentKeys>("connections",
                            "belongs to a pipeline, expected it under "
                            "groups.<group>.pipelines.<pipeline>"),
      Refused<DocumentKeys>("pipelines", "belongs to a group, expected it under groups.<group>"),
      Refused<DocumentKeys>("settings",
                            "belongs to documents of the prototype's form, expected "
                            "policies.channel_capacity"),
  };
  return table;
}

const FieldTable<GroupKeys>& GroupFields() {
  static const FieldTable<GroupKeys> table = {
      PoliciesField(&GroupKeys::policies),
      MapOf("pipelines", "map of pipelines", &GroupKeys::has_pipelines, "pipeline",
            "the pipelines by name"),
      Refused<GroupKeys>("topics", "is not supported, expected connections in a pipeline"),
  };
  return table;
}

}  // namespace df::config
