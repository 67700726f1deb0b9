// The keys of a v1 pipeline, its nodes and its connections.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/field_table.h"
#include "config/pipeline_document.h"
#include "config/policy_set.h"

namespace df::config {

/// `id` or `id["port"]`. The path of `node` is that of the selector.
struct PortSelector {
  Reference node;
  std::string port = "default";
};

/// An entry of `nodes`.
struct NodeKeys {
  Reference type;  ///< canonical URN; empty when it was refused
  std::string description;
  std::vector<Reference> outputs;
  std::optional<Reference> default_output;
  ValuePtr config;
};

/// An entry of `connections`.
struct ConnectionKeys {
  std::vector<PortSelector> from;
  std::vector<Reference> to;
  DispatchStrategy dispatch = DispatchStrategy::kLeastLoaded;
};

enum class PipelineType : uint8_t { kOtap };

/// An entry of `pipelines`. Nodes are in the order of the document, one an entry.
struct PipelineKeys {
  PipelineType type = PipelineType::kOtap;
  PolicySet policies;
  std::vector<NodeKeys> nodes;
  std::vector<ConnectionKeys> connections;
};

const FieldTable<NodeKeys>& NodeFields();
const FieldTable<ConnectionKeys>& ConnectionFields();
const FieldTable<PipelineKeys>& PipelineFields();

/// `policies` of a scope that is read into an `S`.
template <typename S>
Field<S> PoliciesField(PolicySet S::* member) {
  Field<S> field = Structured<S, PolicySet>(
      "policies", "map", member,
      [](const Section& section) { return std::optional(ReadPolicies(section)); },
      [](const PolicySet& set) { return Write(PolicyFields(), set); },
      [](const PolicySet&) { return std::string("{}"); },
      OrNullSchema(MakeMap({{"$ref", MakeText("#/$defs/policies")}})),
      "what holds for the pipelines of this scope");
  return field;
}

/// A map of names to things of the same kind that reads every entry with `read_entry`.
template <typename T, typename ReadEntry>
std::optional<std::vector<T>> ReadEntries(const Section& section, std::string_view what,
                                          ReadEntry read_entry) {
  if (section.value().kind != Value::Kind::kMap) {
    section.Add(fmt::format("found {}, expected a map of {}", section.value().Describe(), what));
    return std::nullopt;
  }
  std::vector<T> things;
  for (const Section& item : section.Items()) {
    things.push_back(read_entry(item));
  }
  return things;
}

/// Adds a problem when the key cannot name a node: a connection could not name it.
void CheckNodeName(const Value::Entry& entry, const std::string& path, Problems* problems);
/// Adds a problem when the key cannot name a group or pipeline: the admin server could not.
void CheckScopeName(const Value::Entry& entry, const std::string& path, Problems* problems);

}  // namespace df::config
