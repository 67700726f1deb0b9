#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>

#include "base/text.h"
#include "config/pipeline_document.h"
#include "config/urn.h"

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

constexpr PrototypeUrn kUrns[] = {
    {"urn:otel:otap:fake_data_generator:receiver", "urn:otel:receiver:traffic_generator"},
    {"urn:otel:otap:parquet:receiver", "urn:otel:receiver:parquet"},
    {"urn:otel:otap:receiver", "urn:otel:receiver:otap"},
    {"urn:otel:otlp:receiver", "urn:otel:receiver:otlp"},
    {"urn:otap:processor:attributes_processor", "urn:otel:processor:attribute"},
    {"urn:otap:processor:batch", "urn:otel:processor:batch"},
    {"urn:otap:processor:retry_processor", "urn:otel:processor:retry"},
    {"urn:otap:processor:signal_type_router", "urn:otel:processor:type_router"},
    {"urn:otel:debug:processor", "urn:otel:processor:debug"},
    {"urn:otel:file:exporter", "urn:otel:exporter:file"},
    {"urn:otel:noop:exporter", "urn:otel:exporter:noop"},
    {"urn:otel:otap:exporter", "urn:otel:exporter:otap"},
    {"urn:otel:otap:parquet:exporter", "urn:otel:exporter:parquet"},
    {"urn:otel:otap:perf:exporter", "urn:otel:exporter:perf"},
    {"urn:otel:otlp:exporter", "urn:otel:exporter:otlp_grpc"},
};

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

/// Returns the URN in its present form; empty when it was refused.
Reference ReadUrn(const Section& section, std::optional<NodeKindName> kind) {
  Reference urn = ReadReference(section).value_or(Reference{});
  urn.mark = section.value().mark;
  urn.path = section.path();
  if (urn.name.empty()) {
    return urn;
  }
  std::vector<std::string> known;
  for (const PrototypeUrn& entry : kUrns) {
    if (entry.name == urn.name) {
      urn.name = entry.urn;
      return urn;
    }
    const std::string kind_name = kind.has_value() ? kKinds[static_cast<size_t>(*kind)] : "";
    if (entry.urn.find(kind_name) != std::string_view::npos) {
      known.emplace_back(entry.name);
    }
  }
  if (const Result<NodeUrn> present = ParseNodeUrn(urn.name); present.ok()) {
    urn.name = present->ToString();
    return urn;
  }
  section.problems()->AddUnknown(urn.mark,
                                 fmt::format("{}: unknown URN '{}', expected {}", urn.path,
                                             PrintableText(urn.name), NamesType(known)),
                                 urn.name, known);
  urn.name.clear();
  return urn;
}

/// With several ports one of them has to be named; a single one needs no name.
void ReadDefaultPort(const Section& section, NodeDocument* node) {
  std::vector<std::string> ports;
  for (const PortDocument& port : node->ports) {
    ports.push_back(port.name);
  }
  const auto key = section.Find("default_out_port");
  if (!key.has_value()) {
    if (ports.size() > 1) {
      section.problems()->Add(
          node->mark, fmt::format("{}: key 'default_out_port' is missing, expected it with {} out "
                                  "ports",
                                  section.path(), ports.size()));
      node->default_port = Reference{ports.front(), node->mark, section.path()};
    }
    return;
  }
  node->default_port = ReadReference(*key);
  if (node->default_port.has_value() &&
      std::find(ports.begin(), ports.end(), node->default_port->name) == ports.end()) {
    key->problems()->AddUnknown(key->value().mark,
                                fmt::format("{}: '{}' is not an out port of this node", key->path(),
                                            PrintableText(node->default_port->name)),
                                node->default_port->name, ports);
    node->default_port.reset();
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
    node.urn = ReadUrn(*urn, node.kind);
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
  ReadDefaultPort(section, &node);
  for (const Value::Entry& key : section.value().entries) {
    if (key.key == "config") {
      node.config = key.value;
    }
  }
  return node;
}

}  // namespace

std::span<const PrototypeUrn> PrototypeUrns() { return kUrns; }

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
    if (entry.key.empty()) {
      problems->Add(entry.key_mark, "nodes: a node has an empty name");
    }
    document.nodes.push_back(ReadNode(nodes->At(entry), entry));
  }
  return document;
}

}  // namespace df::config
