#include <array>
#include <set>
#include <string>
#include <utility>

#include "base/text.h"
#include "config/pipeline_document.h"

namespace df::config {
namespace {

// More waiting messages than this are a slip of the pen: a queue grows as it fills.
constexpr Range kChannelSize = {1, 1'000'000};

const std::array<std::string, 3> kRootKeys = {"type", "settings", "nodes"};
const std::array<std::string, 6> kNodeKeys = {"kind",      "plugin_urn",       "description",
                                              "out_ports", "default_out_port", "config"};
const std::array<std::string, 2> kPortKeys = {"destinations", "dispatch_strategy"};
const std::array<std::string, 1> kTypes = {"otap"};
const std::array<std::string, 3> kKinds = {"receiver", "processor", "exporter"};
const std::array<std::string, 4> kStrategies = {"broadcast", "round_robin", "random",
                                                "least_loaded"};

std::optional<Reference> ReadReference(const Section& section) {
  if (auto text = section.ReadString()) {
    return Reference{std::move(*text), section.value().mark, section.path()};
  }
  return std::nullopt;
}

void ReadDestinations(const Section& section, PortDocument* port) {
  if (section.value().kind != Value::Kind::kList) {
    section.Add(fmt::format("found {}, expected a list of node names", section.value().Describe()));
    return;
  }
  if (section.value().items.empty()) {
    section.Add("the list is empty, expected at least one node name");
  }
  std::set<std::string> known;
  for (const Section& item : section.Items()) {
    std::optional<Reference> destination = ReadReference(item);
    if (!destination.has_value()) {
      continue;
    }
    destination->path = port->path;
    if (!known.insert(destination->name).second) {
      item.Add(fmt::format("'{}' is named twice", PrintableText(destination->name)));
    } else {
      port->destinations.push_back(*destination);
    }
  }
}

PortDocument ReadPort(const Section& section, const Value::Entry& entry) {
  PortDocument port;
  port.name = entry.key;
  port.mark = entry.key_mark;
  port.path = section.path();
  if (!section.CheckMap(kPortKeys)) {
    return port;
  }
  if (const auto destinations = section.Find("destinations")) {
    ReadDestinations(*destinations, &port);
  } else {
    section.problems()->Add(port.mark, fmt::format("{}: key 'destinations' is missing, expected a "
                                                   "list of node names",
                                                   section.path()));
  }
  if (const auto strategy = section.Find("dispatch_strategy")) {
    if (const auto index = strategy->ReadName(kStrategies)) {
      port.strategy = static_cast<DispatchStrategy>(*index);
    }
  } else if (port.destinations.size() > 1) {
    section.problems()->Add(
        port.mark, fmt::format("{}: key 'dispatch_strategy' is missing, expected {} for "
                               "{} destinations",
                               section.path(), NamesType(kStrategies), port.destinations.size()));
  }
  return port;
}

void ReadPorts(const Section& section, NodeDocument* node) {
  if (section.value().kind == Value::Kind::kNull) {
    return;
  }
  if (section.value().kind != Value::Kind::kMap) {
    section.Add(fmt::format("found {}, expected a map of ports", section.value().Describe()));
    return;
  }
  for (const Value::Entry& entry : section.value().entries) {
    node->ports.push_back(ReadPort(section.At(entry), entry));
  }
}

void ReadKind(const Section& section, NodeDocument* node) {
  const auto kind = section.Find("kind");
  if (!kind.has_value()) {
    section.problems()->Add(node->mark, fmt::format("{}: key 'kind' is missing, expected {}",
                                                    section.path(), NamesType(kKinds)));
    return;
  }
  if (const auto index = kind->ReadName(kKinds)) {
    node->kind = static_cast<NodeKindName>(*index);
  }
}

NodeDocument ReadNode(const Section& section, const Value::Entry& entry) {
  NodeDocument node;
  node.name = entry.key;
  node.mark = entry.key_mark;
  node.path = section.path();
  node.config = std::make_shared<const Value>(Value{.mark = entry.key_mark});
  if (!section.CheckMap(kNodeKeys)) {
    return node;
  }
  ReadKind(section, &node);
  if (const auto urn = section.Find("plugin_urn")) {
    node.urn = ReadReference(*urn).value_or(Reference{"", urn->value().mark, urn->path()});
  } else {
    section.problems()->Add(
        node.mark, fmt::format("{}: key 'plugin_urn' is missing, expected a URN", section.path()));
  }
  if (const auto description = section.Find("description")) {
    node.description = description->ReadString().value_or("");
  }
  if (const auto ports = section.Find("out_ports")) {
    ReadPorts(*ports, &node);
  }
  if (const auto port = section.Find("default_out_port")) {
    node.default_port = ReadReference(*port);
  }
  for (const Value::Entry& key : section.value().entries) {
    if (key.key == "config") {
      node.config = key.value;
    }
  }
  return node;
}

}  // namespace

const FieldTable<PrototypeSettings>& PrototypeSettingsFields() {
  static const FieldTable<PrototypeSettings> table = {
      Integer("default_pipeline_ctrl_msg_channel_size",
              &PrototypeSettings::default_pipeline_ctrl_msg_channel_size, kChannelSize,
              "messages from the nodes of a pipeline to its engine that may wait"),
      Integer("default_node_ctrl_msg_channel_size",
              &PrototypeSettings::default_node_ctrl_msg_channel_size, kChannelSize,
              "messages from the engine to a node that may wait"),
      Integer("default_pdata_channel_size", &PrototypeSettings::default_pdata_channel_size,
              kChannelSize, "batches that may wait in front of a node"),
  };
  return table;
}

PipelineDocument ReadPrototypePipeline(const ValuePtr& root, Problems* problems) {
  PipelineDocument document;
  document.mark = root->mark;
  document.is_prototype = true;
  document.core_allocation_mark = root->mark;
  PrototypeSettings settings;
  const Section section(*root, "", problems);
  if (root->kind != Value::Kind::kMap) {
    section.Add(fmt::format("found {}, expected a map with the key 'version' or 'nodes'",
                            root->Describe()));
    return document;
  }
  section.CheckMap(kRootKeys);
  if (const auto type = section.Find("type")) {
    type->ReadName(kTypes);
  }
  if (const auto found = section.Find("settings")) {
    settings = Read(PrototypeSettingsFields(), *found);
  }
  document.own_policies.channel_capacity =
      ChannelCapacityPolicy{.pdata = settings.default_pdata_channel_size,
                            .control_node = settings.default_node_ctrl_msg_channel_size,
                            .control_pipeline = settings.default_pipeline_ctrl_msg_channel_size};
  const auto nodes = section.Find("nodes");
  if (!nodes.has_value()) {
    section.Add("key 'nodes' is missing, expected a map of nodes");
    return document;
  }
  if (nodes->value().kind != Value::Kind::kMap || nodes->value().entries.empty()) {
    nodes->Add(fmt::format(
        "found {}, expected a map of nodes",
        nodes->value().kind == Value::Kind::kMap ? "an empty map" : nodes->value().Describe()));
    return document;
  }
  for (const Value::Entry& entry : nodes->value().entries) {
    document.nodes.push_back(ReadNode(nodes->At(entry), entry));
  }
  return document;
}

}  // namespace df::config
