// The effective document, and the schema of documents.
#include <array>
#include <utility>

#include "config/document_fields.h"
#include "config/urn.h"
#include "config/value_writer.h"
#include "engine/checked_engine.h"
#include "engine/dispatch_name.h"

namespace df::engine {
namespace {

using config::MakeMap;
using config::MakeText;
using config::MakeTexts;
using config::ValuePtr;
using Entries = std::vector<std::pair<std::string, ValuePtr>>;

constexpr std::string_view kImplicitPort = "default";

/// The type as v1 writes it; what is unknown stays as it is.
std::string TypeOf(const config::NodeDocument& node, const NodeDescriptor* descriptor) {
  const std::string urn = descriptor == nullptr ? node.urn.name : std::string(descriptor->urn);
  const auto parsed = config::ParseNodeUrn(urn);
  return parsed.ok() ? parsed->ToShortString() : urn;
}

ValuePtr NodeConfigOf(const config::NodeDocument& node, const NodeDescriptor* descriptor) {
  if (descriptor == nullptr || descriptor->fields == nullptr) {
    return node.config;
  }
  // Whatever is wrong with it has been said where it was checked.
  config::Problems unheard("");
  const config::Section section(*node.config, "", &unheard);
  return config::EffectiveMap(descriptor->fields(), &section);
}

ValuePtr PrintNode(const config::NodeDocument& node, const NodeRegistry& registry) {
  const NodeDescriptor* descriptor = registry.Find(node.urn.name);
  std::vector<std::string> outputs;
  for (const config::Reference& output : node.outputs) {
    outputs.push_back(output.name);
  }
  return MakeMap({{"type", MakeText(TypeOf(node, descriptor))},
                  {"description", node.description.empty() ? nullptr : MakeText(node.description)},
                  {"outputs", outputs.empty() ? nullptr : MakeTexts(outputs)},
                  {"default_output",
                   node.default_port.has_value() ? MakeText(node.default_port->name) : nullptr},
                  {"config", NodeConfigOf(node, descriptor)}});
}

ValuePtr PrintConnection(const config::NodeDocument& node, const config::PortDocument& port) {
  std::vector<std::string> to;
  for (const config::Reference& destination : port.destinations) {
    to.push_back(destination.name);
  }
  // A port may be called what a selector without one means: it is then written as that.
  const std::string from =
      port.name == kImplicitPort ? node.name : node.name + "[\"" + port.name + "\"]";
  const auto strategy = MakeText(std::string(Name(port.strategy)));
  return MakeMap({{"from", MakeText(from)},
                  {"to", MakeTexts(to)},
                  {"policies", MakeMap({{"dispatch", strategy}})}});
}

ValuePtr PrintPolicies(const config::PolicySet& set) {
  return config::Write(config::PolicyFields(), set);
}

ValuePtr PrintGroup(const config::EngineDocument& document, const config::GroupDocument& group,
                    const NodeRegistry& registry) {
  Entries pipelines;
  for (const config::PipelineDocument& pipeline : document.pipelines) {
    if (pipeline.group == group.name) {
      pipelines.emplace_back(pipeline.name, EffectivePipeline(pipeline, registry));
    }
  }
  const ValuePtr policies = PrintPolicies(group.policies);
  return MakeMap({{"policies", policies->entries.empty() ? nullptr : policies},
                  {"pipelines", MakeMap(std::move(pipelines))}});
}

/// The schema of `config` of every kind of node, chosen by `type`.
ValuePtr NodeSchema(const NodeRegistry& registry) {
  std::vector<ValuePtr> choices;
  for (const NodeDescriptor* descriptor : registry.descriptors()) {
    const auto urn = config::ParseNodeUrn(descriptor->urn);
    if (!urn.ok() || descriptor->fields == nullptr) {
      continue;
    }
    const std::vector<config::FieldDescription> rows = descriptor->fields();
    bool has_required = false;
    for (const config::FieldDescription& row : rows) {
      has_required |= row.is_required;
    }
    const ValuePtr map = config::MapSchema(rows);
    choices.push_back(MakeMap(
        {{"if",
          MakeMap({{"properties",
                    MakeMap({{"type", MakeMap({{"enum", MakeTexts({urn->ToShortString(),
                                                                   urn->ToString()})}})}})}})},
         {"then", MakeMap({{"properties",
                            MakeMap({{"config", has_required ? map : config::OrNullSchema(map)}})},
                           {"required", has_required ? MakeTexts({"config"}) : nullptr}})}}));
  }
  ValuePtr node = config::MapSchema(config::Describe(config::NodeFields()));
  Entries entries;
  for (const config::Value::Entry& entry : node->entries) {
    entries.emplace_back(entry.key, entry.value);
  }
  entries.emplace_back("allOf", choices.empty() ? nullptr : config::MakeList(std::move(choices)));
  return MakeMap(std::move(entries));
}

}  // namespace

ValuePtr EffectivePipeline(const config::PipelineDocument& pipeline, const NodeRegistry& registry) {
  Entries nodes;
  std::vector<ValuePtr> connections;
  for (const config::NodeDocument& node : pipeline.nodes) {
    nodes.emplace_back(node.name, PrintNode(node, registry));
    for (const config::PortDocument& port : node.ports) {
      connections.push_back(PrintConnection(node, port));
    }
  }
  return MakeMap({{"type", MakeText("otap")},
                  {"policies", PrintPolicies(config::FullPolicySet(pipeline.policies))},
                  {"nodes", MakeMap(std::move(nodes))},
                  {"connections", config::MakeList(std::move(connections))}});
}

ValuePtr EffectiveEngine(const config::EngineDocument& document, const NodeRegistry& registry) {
  Entries groups;
  for (const config::GroupDocument& group : document.groups) {
    groups.emplace_back(group.name, PrintGroup(document, group, registry));
  }
  config::Problems unheard("");
  const config::Value nothing;
  const config::Section engine(document.engine == nullptr ? nothing : *document.engine, "",
                               &unheard);
  const auto top = config::ResolvePolicies(std::array{&document.policies});
  return MakeMap(
      {{"version", MakeText(std::string(config::kDocumentVersion))},
       {"policies", PrintPolicies(config::FullPolicySet(top))},
       {"engine", config::EffectiveMap(config::Describe(config::EngineFields()), &engine)},
       {"groups", MakeMap(std::move(groups))}});
}

std::string PrintEngine(const config::EngineDocument& document, const NodeRegistry& registry) {
  return config::ToYaml(*EffectiveEngine(document, registry));
}

std::string DocumentSchema(const NodeRegistry& registry) {
  const ValuePtr document = config::MapSchema(config::Describe(config::DocumentFields()));
  Entries entries = {{"$schema", MakeText("https://json-schema.org/draft/2020-12/schema")},
                     {"title", MakeText("A document of df_engine, version otel_dataflow/v1")}};
  for (const config::Value::Entry& entry : document->entries) {
    entries.emplace_back(entry.key, entry.value);
  }
  entries.emplace_back(
      "$defs", MakeMap({{"policies", config::MapSchema(config::Describe(config::PolicyFields()))},
                        {"group", config::OrNullSchema(
                                      config::MapSchema(config::Describe(config::GroupFields())))},
                        {"pipeline", config::MapSchema(config::Describe(config::PipelineFields()))},
                        {"node", NodeSchema(registry)},
                        {"reference", config::ReferenceSchema()}}));
  return config::ToJson(*MakeMap(std::move(entries)));
}

}  // namespace df::engine
